import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Side } from '../../src/model/kernel.ts';
import { KnownPositives, type MaskTask } from '../../src/sampling/known-positives.ts';
import { Random } from '../../src/sampling/random.ts';
import { triples } from '../pipeline/training/trainer-fixture.ts';
import { PositivesSet } from './positives-set.ts';

// Few rows, so that edges are often removed and candidates often known.
const ROWS = 3_000;
/** Some of these rows share a bucket of RowPlaces. */
const row = fc.constantFrom(0, 1, 2, 1_024, 2_048, 2_049);
const relation = fc.integer({ min: 0, max: 1 });
const edge = fc.tuple(row, relation, row);

function taskOf(
  side: Side,
  edges: [number, number, number][],
  candidates: number[],
  hub = Number.POSITIVE_INFINITY,
): MaskTask {
  const stride = candidates.length + 3;
  return {
    side,
    // Each anchor has a limit of its own.
    hub: (anchor) => (anchor % 2 === 0 ? hub : 2 * hub + 1),
    edges: edges.length,
    anchors: Int32Array.from(edges, ([lhs, , rhs]) => (side === 'rhs' ? lhs : rhs)),
    relation: Int32Array.from(edges, ([, name]) => name),
    positives: Int32Array.from(edges, ([lhs, , rhs]) => (side === 'rhs' ? rhs : lhs)),
    count: candidates.length,
    candidates: Int32Array.from(candidates),
    mask: new Uint8Array((edges.length + 1) * stride).fill(7),
    stride,
  };
}

/** The used part of a mask, and the rows after it, which must not change. */
function partsOf({ mask, edges, stride, count }: MaskTask): { counted: number[][]; rest: Set<number> } {
  const lines = Array.from({ length: edges }, (_, i) => [...mask.subarray(i * stride, i * stride + count)]);
  return { counted: lines, rest: new Set(mask.subarray(edges * stride)) };
}

describe('KnownPositives', () => {
  it('agrees with a set of edges after any additions and removals, on both sides', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(edge, fc.boolean()), { maxLength: 200, size: 'max' }),
        fc.array(edge, { minLength: 1, maxLength: 6 }),
        fc.array(row, { maxLength: 20, size: 'max' }),
        fc.constantFrom<Side>('lhs', 'rhs'),
        fc.constantFrom(0, 3, Number.POSITIVE_INFINITY),
        (changes, asked, candidates, side, hub) => {
          const options = { maxRows: ROWS, maxEdges: 1000 };
          const [grown, loaded, set] = [
            new KnownPositives(options),
            new KnownPositives(options),
            new PositivesSet(),
          ];
          for (const [[lhs, name, rhs], live] of changes) {
            if (live === set.has(lhs, name, rhs)) continue;
            (live ? grown.add : grown.remove).call(grown, lhs, name, rhs);
            (live ? set.add : set.remove).call(set, lhs, name, rhs);
          }
          const [first, second] = [set.live.slice(0, 20), set.live.slice(20)];
          for (const part of [first, second]) loaded.load(triples(part));
          loaded.settle();
          expect(grown.frozen()(0, ROWS)).toEqual(loaded.frozen()(0, ROWS));
          for (const known of [grown, loaded]) {
            expect(known.edges).toBe(set.edges);
            expect(known.edgesOf(0) + known.edgesOf(1)).toBe(set.edges);
            for (const [lhs, name, rhs] of asked) {
              expect(known.has(lhs, name, rhs)).toBe(set.has(lhs, name, rhs));
              expect(known.degree('rhs', rhs)).toBe(set.inDegree(rhs));
            }
            const rows = Int32Array.from(asked, ([, , rhs]) => rhs);
            const degrees = new Int32Array(rows.length).fill(-1);
            known.degrees('rhs', rows, rows.length - 1, degrees);
            expect([...degrees]).toEqual([...rows.map((row) => set.inDegree(row)).slice(0, -1), -1]);
            // Twice, since the first call must not affect the second.
            for (let time = 0; time < 2; time++) {
              const task = taskOf(side, asked, candidates, hub);
              known.mask(task);
              const { counted, rest } = partsOf(task);
              expect(counted).toEqual(set.mask(task));
              expect([...rest]).toEqual([7]);
            }
          }
        },
      ),
      { numRuns: 500 },
    );
  });

  it('is exact at a hub of 50,000 edges, whichever lists are walked', () => {
    const known = new KnownPositives({ maxRows: 50_010, maxEdges: 100_000 });
    for (let user = 1; user <= 50_000; user++) known.add(user, 0, 0);
    // The hub is the anchor: the candidates' lists are shorter.
    const anchor = taskOf('lhs', [[1, 0, 0]], [1, 2, 50_000, 50_001, 2]);
    known.mask(anchor);
    expect(partsOf(anchor).counted).toEqual([[1, 1, 1, 0, 1]]);
    // More candidates than there is room for at first.
    const many = Array.from({ length: 600 }, (_, i) => 49_405 + i);
    const crowded = taskOf('lhs', [[1, 0, 0]], many);
    known.mask(crowded);
    expect(partsOf(crowded).counted).toEqual([many.map((row) => (row <= 50_000 ? 1 : 0))]);
    // The hub is a candidate: the anchor's list is shorter.
    const candidate = taskOf('rhs', [[7, 0, 50_001]], [0, 50_001, 3, 0]);
    known.mask(candidate);
    expect(partsOf(candidate).counted).toEqual([[1, 1, 0, 1]]);
    for (let user = 1; user <= 50_000; user += 2) known.remove(user, 0, 0);
    known.mask(anchor);
    expect(partsOf(anchor).counted).toEqual([[1, 1, 1, 0, 1]]);
    expect(known.degree('rhs', 0)).toBe(25_000);
    // Beside an anchor that is no hub, with lists as long.
    for (let user = 1; user <= 25_000; user++) known.add(user, 0, 50_001);
    const beside = taskOf(
      'lhs',
      [
        [2, 0, 0],
        [4, 0, 50_001],
      ],
      [2, 4, 6],
      20_000,
    );
    known.mask(beside);
    expect(partsOf(beside).counted).toEqual([
      [1, 0, 0],
      [1, 1, 1],
    ]);
  });

  it('draws all live edges equally often, independent of the order of arrival', () => {
    const edges: [number, number, number][] = [];
    for (let lhs = 0; lhs < 6; lhs++) {
      // Row 0 has one edge, row 5 has eleven.
      for (let i = 0; i <= 2 * lhs; i++) edges.push([lhs, i % 2, i >> 1]);
    }
    const gone = edges.filter((_, i) => i % 3 === 0);
    const live = edges.filter((_, i) => i % 3 !== 0);
    const options = { maxRows: 8, maxEdges: 1000 };
    const grown = new KnownPositives(options);
    for (const edge of [...gone, ...live].reverse()) grown.add(...edge);
    for (const edge of gone) grown.remove(...edge);
    const loaded = new KnownPositives(options);
    loaded.load(triples(live));
    loaded.settle();
    const counts = new Map(live.map((edge) => [edge.join(), 0]));
    const one = Random.seeded(5);
    const draws = 400 * live.length;
    const many = loaded.draw(draws, Random.seeded(5));
    for (let i = 0; i < draws; i++) {
      const { lhs, relation, rhs } = grown.draw(1, one);
      expect([many.lhs[i], many.relation[i], many.rhs[i]]).toEqual([lhs[0], relation[0], rhs[0]]);
      const name = [lhs, relation, rhs].join();
      counts.set(name, (counts.get(name) ?? Number.NaN) + 1);
    }
    // 400 each; five standard deviations are 100.
    expect(counts.size).toBe(live.length);
    for (const count of counts.values()) expect(Math.abs(count - 400)).toBeLessThan(100);
  });

  it('refuses edges above its limit as they are loaded, and after the changes of a batch', () => {
    const known = new KnownPositives({ maxRows: 10, maxEdges: 2 });
    const refusal = /more than limits\.maxKnownEdges live edges, which is 2: raise/;
    known.add(1, 0, 2);
    known.add(1, 0, 3);
    known.add(1, 0, 4);
    expect(() => known.refuseMore()).toThrow(refusal);
    known.remove(1, 0, 2);
    known.refuseMore();
    expect(() => known.load(triples([[1, 0, 2]]))).toThrow(refusal);
  });
});
