import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import type { EntityKey } from '../../src/graph/entity.ts';
import { itemReason, meanScores, sharingWith } from '../../src/serve/reasons.ts';
import { ad, advertiser, edge, graphOf, query, T0, tweet, user } from './serve-fixture.ts';

const VECTOR = Float32Array.of(0, 0);
const queries = (likes: number, retweets: number) => [
  { weight: likes, of: { relation: 'likes' } },
  { weight: retweets, of: { relation: 'retweets' } },
];
const reasonsOf = (weights: ReturnType<typeof queries>, lists: readonly (readonly number[])[]) => {
  const means = meanScores(
    lists.map((scores) => ({ scores })),
    2,
  );
  return lists.map((scores) => itemReason(tweet(1), weights, scores, means, VECTOR, []));
};

test('the reason is the relation that lifts an item above its list, as it is weighed', () => {
  // By retweets all score higher, and alike: that lifts nothing.
  expect(
    reasonsOf(queries(0.9, 0.1), [
      [-4, -1],
      [-9, -1],
      [-8, 0],
    ]),
  ).toEqual([
    // Means are -7 and -2/3: by likes .9 · 3 for the first, and -.9 · 2 for the second.
    { relation: 'likes', share: 0.9, score: -4 },
    { relation: 'retweets', share: 0.1, score: -1 },
    { relation: 'retweets', share: 0.1, score: 0 },
  ]);
});

test('the heaviest relation is the reason where nothing lifts an item', () => {
  expect(reasonsOf(queries(0.3, 0.7), [[-1, -4]])).toEqual([{ relation: 'retweets', share: 0.7, score: -4 }]);
  expect(
    reasonsOf(queries(0.7, 0.3), [
      [-4, -1],
      [-4, -1],
    ]).map(({ relation }) => relation),
  ).toEqual(['likes', 'likes']);
});

describe('shared neighbours', () => {
  it('are what both users engage with or follow, the newest three by name', () => {
    const graph = graphOf();
    graph.edges(user(1), 'likes', [tweet(1), tweet(2), tweet(3), tweet(4)]);
    graph.edges(user(1), 'follows', [user(3)], T0 + 5);
    graph.edges(user(2), 'retweets', [tweet(2), tweet(9), tweet(3), tweet(1)]);
    graph.edges(user(2), 'follows', [user(3), user(1)]);
    expect(sharingWith(graph, user(1))(user(2))).toEqual({
      ...{ shared: [user(3), tweet(3), tweet(2)], count: 4, of: 5 },
    });
    expect(sharingWith(graph, user(2))(user(1))).toMatchObject({ count: 4, of: 6 });
    expect(sharingWith(graph, user(1))(user(4))).toBeUndefined();
    expect(sharingWith(graph, user(4))(user(1))).toBeUndefined();
  });

  it('are the advertiser of both ads, or who searched both queries', () => {
    const graph = graphOf();
    graph.edges(advertiser('a'), 'promotes', [ad(1), ad(2)]);
    graph.edges(user(1), 'clicks', [ad(2)]);
    expect(sharingWith(graph, ad(1))(ad(2))).toEqual({ shared: [advertiser('a')], count: 1, of: 1 });
    for (const id of [1, 2]) graph.edges(user(id), 'searches', [query('jazz'), query('jazz radio')], T0 + id);
    graph.edges(user(3), 'searches', [query('jazz')], T0 + 9);
    expect(sharingWith(graph, query('jazz'))(query('jazz radio'))).toEqual({
      ...{ shared: [user(2), user(1)], count: 2, of: 3 },
    });
  });

  it('do not count an edge from the other entity to itself', () => {
    const graph = graphOf();
    graph.edges(user(1), 'follows', [user(2), user(3)]);
    graph.edges(user(2), 'follows', [user(2), user(3)]);
    expect(sharingWith(graph, user(1))(user(2))).toEqual({ shared: [user(3)], count: 1, of: 2 });
  });

  it('are unknown where nothing is remembered of who acted', () => {
    const graph = graphOf();
    graph.edges(user(1), 'likes', [tweet(1), tweet(2)]);
    expect(sharingWith(graph, tweet(1))(tweet(2))).toBeUndefined();
  });

  it('have none whose edge was taken back, and nobody who was erased', () => {
    const graph = graphOf();
    for (const id of [1, 2, 3, 4]) graph.edges(user(id), 'searches', [query('a'), query('b')]);
    graph.activity.take(edge(user(1), 'searches', query('a'), T0 + 9, true));
    graph.activity.take(edge(user(2), 'searches', query('b'), T0 + 9, true));
    graph.activity.take({ erased: user(3), at: T0 + 9 });
    expect(sharingWith(graph, query('a'))(query('b'))).toEqual({ shared: [user(4)], count: 1, of: 2 });
    graph.activity.take({ erased: query('b'), at: T0 + 9 });
    expect(sharingWith(graph, query('a'))(query('b'))).toBeUndefined();
    graph.edges(user(5), 'likes', [tweet(1), tweet(3)]);
    graph.edges(user(6), 'likes', [tweet(1), tweet(3)]);
    graph.activity.take({ erased: tweet(1), at: T0 + 9 });
    expect(sharingWith(graph, user(5))(user(6))).toEqual({ shared: [tweet(3)], count: 1, of: 1 });
  });

  it('are those of all live edges while there are no more than 50', () => {
    const edges = fc.array(
      fc.record({
        by: fc.nat(3),
        relation: fc.constantFrom('likes', 'retweets'),
        of: fc.nat(7),
        removed: fc.boolean(),
      }),
      { maxLength: 60 },
    );
    fc.assert(
      fc.property(edges, (all) => {
        const graph = graphOf();
        const live = new Map<string, { by: EntityKey; of: EntityKey }>();
        for (const [i, { by, relation, of, removed }] of all.entries()) {
          graph.activity.take(edge(user(by), relation, tweet(of), T0 + i, removed));
          live.delete(`${by} ${relation} ${of}`);
          if (!removed) live.set(`${by} ${relation} ${of}`, { by: user(by), of: tweet(of) });
        }
        const targetsOf = (by: EntityKey) =>
          new Set([...live.values()].filter((each) => each.by === by).map(({ of }) => of));
        for (const [a, b] of [
          [0, 1],
          [2, 1],
        ] as const) {
          const people = sharingWith(graph, user(a))(user(b));
          const count = targetsOf(user(a)).intersection(targetsOf(user(b))).size;
          expect(people && { count: people.count, of: people.of }).toEqual(
            count === 0 ? undefined : { count, of: targetsOf(user(a)).size },
          );
        }
      }),
    );
  });
});
