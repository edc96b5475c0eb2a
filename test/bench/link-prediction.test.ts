import { describe, expect, it } from 'vitest';
import { predictLinks, rankFigures } from '../../bench/kg/link-prediction.ts';
import { keyOf } from '../../bench/kg/triple-log.ts';
import type { IndexedTriples, KnowledgeGraph } from '../../bench/kg/triples.ts';
import { Space } from '../../src/evaluation/space.ts';
import { GraphStore } from '../../src/graph/graph-store.ts';
import { Layout } from '../../src/graph/layout.ts';
import { commitOf, entity, HEAD } from '../graph/graph-fixture.ts';
import { MemoryStore } from '../graph/memory-store.ts';

type Triple = readonly [lhs: number, relation: number, rhs: number];

function indexed(triples: readonly Triple[]): IndexedTriples {
  const column = (field: 0 | 1 | 2) => Int32Array.from(triples, (triple) => triple[field]);
  return { lhs: column(0), relation: column(1), rhs: column(2) };
}

/** A graph of entities at 0, 1, 2, … on a line; each relation r moves by its number, forward and back. */
async function line(
  moves: readonly number[],
  parts: {
    positions: readonly number[];
    train: readonly Triple[];
    valid?: readonly Triple[];
    test: readonly Triple[];
  },
): Promise<{ graph: KnowledgeGraph; space: Space }> {
  const { positions, train, valid = [], test } = parts;
  const graph = {
    entities: positions.map((_, i) => `e${i}`),
    relations: moves.map((_, i) => `moves ${i}`),
    train: indexed(train),
    valid: indexed(valid),
    test: indexed(test),
    snapshots: [train.length],
  };
  const model = {
    ...{ dim: 1, scorer: 'transe-l2', entityTypes: ['entity'] },
    relations: moves.map((_, i) => ({ name: `r${i}`, lhs: 'entity', rhs: 'entity' })),
  };
  const store = new GraphStore(new MemoryStore(), new Layout(model));
  const vectors: Record<number, number[]> = {};
  moves.forEach((move, i) => {
    vectors[2 * i] = [move, 0, 0];
    vectors[2 * i + 1] = [-move, 0, 0];
  });
  const first = 2 * moves.length;
  positions.forEach((x, i) => {
    vectors[first + i] = [x, 0, 0];
  });
  const head = { ...HEAD, model, rows: first + positions.length };
  const entities = positions.map((_, i) => entity(keyOf(i), first + i));
  await store.commit(commitOf({ head, entities, vectors }));
  return { graph, space: await Space.read(store, head) };
}

describe('predictLinks', () => {
  it('asks for both ends, leaves known answers of all parts out, and counts a tie half', async () => {
    const { graph, space } = await line([1], {
      positions: [0, 1, 2, 3, 1],
      train: [
        [0, 0, 1],
        [1, 0, 2],
      ],
      valid: [[3, 0, 4]],
      test: [
        [0, 0, 4],
        [3, 0, 2],
      ],
    });
    const { all, tails, heads } = await predictLinks(graph, graph.test, space, () => {});
    // 0 → ?, at 1: the answer 4 lies there; so does 1, which is known and left out: rank 1.
    // 3 → ?, at 4: 3 at 3, then the answer 2 at 2; 4 at 1 is known, and 1 lies there too, further away: rank 2.
    expect(tails).toEqual({ ...rankFigures([1, 2]) });
    // ? → 4, at 0: 0 itself lies there: rank 1, and 3 is known.
    // ? → 2, at 1: the known 1 is left out; 4 lies at 1, then 0, 2 and no more at 1 away; the answer 3 is 2 away: rank 4.
    expect(heads).toEqual({ ...rankFigures([1, 4]) });
    expect(all.mrr).toBe((1 + 1 / 2 + 1 + 1 / 4) / 4);
    // Two candidates at one place: 1 and 4, as seen from 0, with nothing known.
    const open = { ...graph, train: indexed([[1, 0, 2]]), valid: indexed([]), test: indexed([[0, 0, 4]]) };
    expect((await predictLinks(open, open.test, space, () => {})).tails.mrr).toBe(1 / 1.5);
  });

  it('gives figures by relation', async () => {
    const { graph, space } = await line([1, 1], {
      positions: [0, 1, 2, 3],
      train: [[0, 0, 1]],
      test: [
        [2, 0, 3],
        [0, 1, 3],
      ],
    });
    const { byRelation } = await predictLinks(graph, graph.test, space, () => {});
    expect(Object.keys(byRelation)).toEqual(['moves 0', 'moves 1']);
    expect(byRelation['moves 0']).toMatchObject({ questions: 2, mrr: 1 });
  });

  it('counts triples of what was never trained, and reports its progress', async () => {
    const { graph, space } = await line([1, 1], {
      positions: [0, 1, 2],
      train: [[0, 0, 1]],
      test: [
        [0, 0, 2],
        [0, 1, 1],
        [1, 0, 0],
      ],
    });
    const done: number[] = [];
    const { unseen } = await predictLinks(graph, graph.test, space, (n) => void done.push(n));
    expect(unseen).toEqual({ entities: 1, relations: 1 });
    expect(done).toEqual([3]);
  });
});

describe('rankFigures', () => {
  it('has the figures of hand-worked ranks, and zeros of none', () => {
    expect(rankFigures([1, 2, 4, 10.5])).toEqual({
      ...{ questions: 4, mrr: (1 + 1 / 2 + 1 / 4 + 1 / 10.5) / 4, hits1: 0.25, hits3: 0.5, hits10: 0.75 },
      meanRank: 4.375,
    });
    expect(rankFigures([])).toEqual({ questions: 0, mrr: 0, hits1: 0, hits3: 0, hits10: 0, meanRank: 0 });
  });
});
