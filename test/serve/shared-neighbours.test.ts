import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { EntityKey } from '../../src/graph/entity.ts';
import { sharingWith } from '../../src/serve/shared-neighbours.ts';
import { ad, advertiser, edge, graphOf, query, T0, tweet, user } from './serve-fixture.ts';

it('are who acted on both tweets in any way, the newest three by name', () => {
  const graph = graphOf();
  for (const id of [1, 2, 3, 4, 5]) graph.edges(user(id), 'likes', [tweet(1)], T0 + id);
  for (const id of [5, 1, 3, 2]) graph.edges(user(id), 'retweets', [tweet(2)], T0);
  expect(sharingWith(graph, tweet(1))(tweet(2))).toEqual({
    ...{ shared: [user(5), user(3), user(2)], count: 4, of: 5 },
  });
  expect(sharingWith(graph, tweet(2))(tweet(1))).toMatchObject({ count: 4, of: 4 });
  expect(sharingWith(graph, tweet(1))(tweet(3))).toBeUndefined();
  expect(sharingWith(graph, tweet(3))(tweet(1))).toBeUndefined();
});

it('are what both users engage with or follow, or the advertiser, or who searched', () => {
  const graph = graphOf();
  graph.edges(user(1), 'likes', [tweet(1), tweet(2)]);
  graph.edges(user(1), 'follows', [user(3)], T0 + 5);
  graph.edges(user(2), 'retweets', [tweet(2), tweet(9)]);
  graph.edges(user(2), 'follows', [user(3), user(1)]);
  expect(sharingWith(graph, user(1))(user(2))).toEqual({ shared: [user(3), tweet(2)], count: 2, of: 3 });
  graph.edges(advertiser('a'), 'promotes', [ad(1), ad(2)]);
  graph.edges(user(1), 'clicks', [ad(2)]);
  expect(sharingWith(graph, ad(1))(ad(2))).toEqual({ shared: [advertiser('a')], count: 1, of: 1 });
  graph.edges(user(1), 'searches', [query('jazz'), query('jazz radio')]);
  expect(sharingWith(graph, query('jazz'))(query('jazz radio'))).toMatchObject({ shared: [user(1)] });
});

it('have none whose edge was taken back, and nobody who was erased', () => {
  const graph = graphOf();
  for (const id of [1, 2, 3, 4]) graph.edges(user(id), 'likes', [tweet(1), tweet(2)]);
  graph.activity.take(edge(user(1), 'likes', tweet(1), T0 + 9, true));
  graph.activity.take(edge(user(2), 'likes', tweet(2), T0 + 9, true));
  graph.activity.take({ erased: user(3), at: T0 + 9 });
  expect(sharingWith(graph, tweet(1))(tweet(2))).toEqual({ shared: [user(4)], count: 1, of: 2 });
  graph.activity.take({ erased: tweet(2), at: T0 + 9 });
  expect(sharingWith(graph, tweet(1))(tweet(2))).toBeUndefined();
  graph.edges(user(5), 'likes', [tweet(1), tweet(3)]);
  graph.edges(user(6), 'likes', [tweet(1), tweet(3)]);
  graph.activity.take({ erased: tweet(1), at: T0 + 9 });
  expect(sharingWith(graph, user(5))(user(6))).toEqual({ shared: [tweet(3)], count: 1, of: 1 });
});

it('are those of all live edges while there are no more than 50', () => {
  const edges = fc.array(
    fc.record({
      by: fc.nat(7),
      relation: fc.constantFrom('likes', 'retweets'),
      of: fc.nat(3),
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
      const actorsOf = (of: EntityKey) =>
        new Set([...live.values()].filter((each) => each.of === of).map(({ by }) => by));
      const targetsOf = (by: EntityKey) =>
        new Set([...live.values()].filter((each) => each.by === by).map(({ of }) => of));
      const counted = (a: Set<EntityKey>, b: Set<EntityKey>) => {
        const count = a.intersection(b).size;
        return count === 0 ? undefined : { count, of: a.size };
      };
      for (const [a, b] of [
        [0, 1],
        [2, 1],
      ] as const) {
        const [tweets, people] = [
          sharingWith(graph, tweet(a))(tweet(b)),
          sharingWith(graph, user(a))(user(b)),
        ];
        expect(tweets && { count: tweets.count, of: tweets.of }).toEqual(
          counted(actorsOf(tweet(a)), actorsOf(tweet(b))),
        );
        expect(people && { count: people.count, of: people.of }).toEqual(
          counted(targetsOf(user(a)), targetsOf(user(b))),
        );
      }
    }),
  );
});
