import { expect, test } from 'vitest';
import { blocksOf, Ranker, rankAmong } from '../../../../src/pipeline/training/ranking/ranker.ts';
import { KnownPositives } from '../../../../src/sampling/known-positives.ts';
import { type Edge, triples } from '../trainer-fixture.ts';

const scoreOf = (anchor: number, relationRow: number, row: number) =>
  Math.fround(100 * anchor + relationRow + row / 64);

const kernel = {
  scoreMatrix(anchors: Int32Array, relationRows: Int32Array, candidates: Int32Array, out: Float32Array) {
    for (let i = 0; i < out.length; i++) {
      const at = Math.floor(i / candidates.length);
      out[i] = scoreOf(anchors[at]!, relationRows[at]!, candidates[i % candidates.length]!);
    }
  },
};

test('each edge has the scores and the mask of its own lhs and relation, however many edges there are', () => {
  const list = Array.from({ length: 150 }, (_, i): Edge => [i % 7, i % 5 === 0 ? 2 : 1, 10 + (i % 9)]);
  const known = new KnownPositives({ maxRows: 30, maxEdges: 100 });
  const positives: Edge[] = [
    [3, 1, 12],
    [3, 2, 13],
    [4, 1, 13],
  ];
  for (const edge of positives) known.add(...edge);
  const live = new Set(positives.map(String));
  const edges = triples(list);
  const candidates = [12, 13, 20, 12];
  const ranker = new Ranker(kernel, known, 6);
  const seen: number[] = [];
  for (const block of blocksOf(edges, [...list.keys()])) {
    for (const [k, { wanted, scores, mask }] of ranker.score(block, edges, candidates).entries()) {
      const i = block.members[k]!;
      const [lhs, relation, rhs] = list[i]!;
      seen.push(i);
      expect(block.relation).toBe(relation);
      expect(wanted).toBe(scoreOf(lhs, 2 * relation, rhs));
      expect([...scores]).toEqual(candidates.map((row) => scoreOf(lhs, 2 * relation, row)));
      const leftOut = candidates.map((row) => row === rhs || live.has(`${lhs},${relation},${row}`));
      expect([...mask]).toEqual(leftOut.map(Number));
    }
  }
  expect(seen.sort((a, b) => a - b)).toEqual([...list.keys()]);
});

test('a score that is no number ranks behind all others that count', () => {
  const mask = Uint8Array.of(0, 1, 0, 0);
  expect(rankAmong(Number.NaN, [1, 2, 3, 4], mask)).toBe(4);
  expect(rankAmong(3, [1, 9, 3, 4], mask)).toBe(2.5);
});
