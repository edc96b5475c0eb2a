import { describe, expect, test } from 'vitest';
import type { ComparedStore } from '../../../src/evaluation/compare/held-edges.ts';
import { better, compareQuality, type Quality, verdict } from '../../../src/evaluation/compare/quality.ts';
import type { EdgeName } from '../../../src/graph/edge.ts';
import { type EntityKey, entityKey } from '../../../src/graph/entity.ts';
import { MODEL } from '../../graph/graph-fixture.ts';
import { edge, storeOf } from './fixture.ts';

/** Entities on a line, with transe-l2: the entity nearest to anchor + relation scores highest. */
const LINE = { 'user:1': 0, 'user:2': 1, 'user:3': 2, 'user:4': 3, 'user:5': 4, 'tweet:1': 1, 'tweet:2': 2 };
/** Vectors of a relation and of its inverse: one to the right and back, or no move. */
const ONWARD = [
  [1, 0],
  [-1, 0],
] as const;
const STILL = [
  [0, 0],
  [0, 0],
] as const;
const vectorsOf = (positions: Record<string, number>) =>
  Object.fromEntries(Object.entries(positions).map(([key, x]) => [key, [x, 0]]));

const users = ['1', '2', '3', '4', '5'].map((id) => entityKey('user', id));
const tweets = ['1', '2'].map((id) => entityKey('tweet', id));

function compared(
  a: ComparedStore,
  b: ComparedStore,
  held: readonly EdgeName[],
  candidates: ReadonlyMap<string, readonly EntityKey[]> = new Map<string, EntityKey[]>([
    ['user', users],
    ['tweet', tweets],
  ]),
) {
  return compareQuality({ a, b }, held, candidates, () => {});
}

describe('compareQuality', () => {
  test('ranks both ends by each model with its own relation vectors', async () => {
    // A: 1 follows by +1, is followed by -1: right both ways. B: forward +2.9, so that 4 and then 3 come before 2; reverse
    // -1.2: 1 is at -0.2 and nearest.
    const relations = { follows: ONWARD };
    const a = await storeOf({ vectors: vectorsOf(LINE), relations });
    const b = await storeOf({
      vectors: vectorsOf(LINE),
      relations: {
        follows: [
          [2.9, 0],
          [-1.2, 0],
        ] as const,
      },
    });
    const quality = await compared(a, b, [edge('user:1 follows user:2')]);
    // B, rhs: 2.9 is .1 from 4, .9 from 3, 1.1 from 5 and 1.9 from 2: rank 4, for 1 is 2.9 away.
    // B, lhs: -.2 is .2 from 1, and 1.2 from 2: rank 1.
    expect(quality?.all).toEqual({
      edges: 1,
      a: { mrr: 1, hits10: 1, meanRank: 1 },
      b: { mrr: (1 / 4 + 1) / 2, hits10: 1, meanRank: 2.5 },
      // No edge is live, so all tie: the end itself and four candidates.
      popularity: { mrr: 1 / 3, hits10: 1, meanRank: 3 },
    });
    expect(quality?.relations).toEqual({ follows: quality?.all });
    expect(quality?.difference.mrr).toBe((1 / 4 + 1) / 2 - 1);
    expect(quality?.difference.standardError).toBeNaN();
  });

  test('leaves out known positives, and also ranks by the number of edges', async () => {
    const relations = { follows: STILL };
    const edges = [
      'user:1 follows user:2',
      'user:1 follows user:3',
      'user:5 follows user:4',
      'user:2 follows user:1',
    ];
    const store = await storeOf({ vectors: vectorsOf(LINE), relations, edges });
    // From 1 the nearest is 1 itself, then 2, 3, 4; without 2 and 3, the held-back 4 is second.
    const quality = await compared(store, store, [edge('user:1 follows user:4')]);
    // lhs from 4, at 3: 5 is known; then 4 itself at 3, 3 at 2, 2 at 1, and 1: rank 4.
    // Edges in: 4 has 1, like 1 (a tie), more than 5: rank 1.5. Edges out: 1 has 2, 2 has 1: rank 1.
    expect(quality?.all).toEqual({
      edges: 1,
      a: { mrr: (1 / 2 + 1 / 4) / 2, hits10: 1, meanRank: 3 },
      b: { mrr: (1 / 2 + 1 / 4) / 2, hits10: 1, meanRank: 3 },
      popularity: { mrr: (1 / 1.5 + 1) / 2, hits10: 1, meanRank: 1.25 },
    });
  });

  test('knows the edges of both stores, but no removed one', async () => {
    const relations = { follows: STILL };
    const vectors = vectorsOf(LINE);
    const a = await storeOf({
      ...{ vectors, relations },
      edges: ['user:1 follows user:3', '-user:1 follows user:1'],
    });
    const b = await storeOf({
      ...{ vectors, relations },
      edges: ['user:5 follows user:2', 'user:3 follows user:2', 'user:1 follows user:3'],
    });
    const quality = await compared(a, b, [edge('user:1 follows user:2')]);
    // rhs from 1, at 0: 3 is known, and 1 alone is nearer than 2: rank 2. lhs from 2, at 1: 3 and 5 are known, and 2 is nearer: rank 2,
    // for 4 is at 3.
    expect(quality?.all.a.meanRank).toBe(2);
    // In: 2 has two edges in B; 1, 4 and 5 have none: rank 1. Out: 1 has one in each, 2 and 4 none: rank 1.
    expect(quality?.all.popularity.meanRank).toBe(1);
    // Of two held-back edges, the other one's end is known.
    const both = ['user:1 follows user:2', 'user:1 follows user:4'].map(edge);
    expect((await compared(a, b, both))?.all.a.meanRank).toBe((2 + 2 + 2 + 5) / 4);
  });

  test('computes differences edge by edge', async () => {
    const relations = { follows: ONWARD, likes: ONWARD };
    const a = await storeOf({ vectors: vectorsOf(LINE), relations });
    const b = await storeOf({
      vectors: vectorsOf({ ...LINE, 'user:4': 100, 'tweet:2': 0 }),
      relations,
    });
    const held = ['user:1 follows user:2', 'user:3 follows user:4', 'user:1 likes tweet:1'].map(edge);
    const quality = await compared(a, b, held);
    // A is right each time. B: 1 follows 2: right. 3 follows 4: from 3 it looks at 3: 5, 3, 2, 1 and then 4: rank 5; from
    // 4 it looks at 99: 4, 5, 3: rank 3. 1 likes tweet 1: at 1, where it is; from it at 0: 1. Right.
    const second = (1 / 5 + 1 / 3) / 2 - 1;
    expect(quality?.relations['likes']?.b).toEqual({ mrr: 1, hits10: 1, meanRank: 1 });
    expect(quality?.relations['follows']?.edges).toBe(2);
    expect(quality?.relations['follows']?.b.meanRank).toBe((1 + 4) / 2);
    expect(quality?.difference.mrr).toBeCloseTo(second / 3, 12);
    // Deviations -m, d - m, -m about the mean m = d / 3, over n - 1 = 2; and the root of a third of it.
    const variance = ((second / 3) ** 2 * 2 + ((2 * second) / 3) ** 2) / 2;
    expect(quality?.difference.standardError).toBeCloseTo(Math.sqrt(variance / 3), 12);
  });

  test('scores with the model and dim of each store', async () => {
    // By dot product the longest vector wins, though another is nearer.
    const model = { ...MODEL, dim: 3, scorer: 'twhin' };
    const relations = { follows: STILL };
    const a = await storeOf({ vectors: vectorsOf(LINE), relations });
    const b = await storeOf({
      model,
      vectors: Object.fromEntries(Object.entries(LINE).map(([key, x]) => [key, [0, 0, x]])),
      relations: {
        follows: [
          [0, 0, 1],
          [0, 0, 0],
        ] as const,
      },
    });
    const candidates = new Map([['user', users.slice(1)]]);
    const quality = await compared(a, b, [edge('user:1 follows user:5')], candidates);
    // A: from 1 at 0: 2, 3, 4, then 5. From 5 at 4: 5, 4, 3, 2, then 1: rank 5.
    expect(quality?.all.a.meanRank).toBe((4 + 5) / 2);
    // B: from 1, at 0 + 1: 5 scores 4, most. From 5, at 4: 5, 4, 3 and 2 score more than 1, which scores 0.
    expect(quality?.all.b.meanRank).toBe((1 + 5) / 2);
  });

  test('finds relations and entities by their names, whatever their rows in each store', async () => {
    const model = { ...MODEL, relations: [...MODEL.relations].reverse() };
    const vectors = vectorsOf(LINE);
    const apart = [
      [9, 9],
      [9, 9],
    ] as const;
    const relations = { follows: ONWARD, likes: apart };
    const a = await storeOf({ vectors, relations });
    const backwards = Object.fromEntries(Object.entries(vectors).reverse());
    const b = await storeOf({ vectors: backwards, relations, model });
    const quality = await compared(a, b, [edge('user:2 follows user:3')]);
    expect(quality?.all.a).toEqual({ mrr: 1, hits10: 1, meanRank: 1 });
    expect(quality?.all.b).toEqual(quality?.all.a);
  });

  test('skips an end without candidates, and gives undefined without edges', async () => {
    const relations = { likes: ONWARD };
    const store = await storeOf({ vectors: vectorsOf(LINE), relations });
    const held = [edge('user:2 likes tweet:2')];
    const candidates = new Map([['user', users]]);
    // rhs has no candidates; lhs from tweet 2, at 2 - 1: user 2.
    expect((await compared(store, store, held, candidates))?.all.a.meanRank).toBe(1);
    expect(await compared(store, store, held, new Map())).toBeUndefined();
    expect(await compared(store, store, [])).toBeUndefined();
  });

  test('refuses an unknown scorer', async () => {
    const store = await storeOf({ model: { ...MODEL, scorer: 'rotate' }, vectors: vectorsOf(LINE) });
    await expect(compared(store, store, [edge('user:1 follows user:2')])).rejects.toThrow(
      'a store was trained with the scorer rotate; this version has transe-l1, transe-l2, transe-l2-squared, twhin',
    );
  });
});

function quality(a: number, b: number, standardError: number, edges: number): Quality {
  const figures = (mrr: number) => ({ mrr, hits10: 0, meanRank: 1 });
  return {
    all: { edges, a: figures(a), b: figures(b), popularity: figures(0) },
    relations: {},
    difference: { mrr: b - a, standardError },
  };
}

describe('verdict', () => {
  test('names the better store, its figures first', () => {
    expect(verdict(quality(0.398, 0.412, 0.003, 4120))).toBe(
      'B is better: MRR 0.412 against 0.398, +0.0140 ± 0.0030 (standard error; 4,120 edges).',
    );
    expect(verdict(quality(0.412, 0.398, 0.003, 4120))).toBe(
      'A is better: MRR 0.412 against 0.398, +0.0140 ± 0.0030 (standard error; 4,120 edges).',
    );
  });

  test('gives no winner within two standard errors, with too few edges, or without edges', () => {
    expect(verdict(quality(0.4, 0.394, 0.0031, 4120))).toBe(
      'No difference can be told: B has MRR 0.394 against 0.400, -0.0060 ± 0.0031 (standard error; 4,120 edges).',
    );
    expect(verdict(quality(0.4, 0.5, 0.0031, 29))).toMatch(
      /^Too few edges to tell which is better: B has MRR 0.500/,
    );
    expect(verdict(undefined)).toBe('Which is better can not be told: no new edge was ranked.');
  });

  test('needs more than two standard errors', () => {
    expect(better(quality(0.4, 0.4625, 0.03125, 30))).toBeUndefined();
    expect(better(quality(0.4, 0.4626, 0.03125, 30))).toBe('B');
    expect(better(quality(0.4626, 0.4, 0.03125, 30))).toBe('A');
    expect(better(quality(0.4, 0.4, 0, 1000))).toBeUndefined();
    expect(better(quality(0.4, 0.5, Number.NaN, 1))).toBeUndefined();
  });
});
