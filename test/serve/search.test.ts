import { describe, expect, it } from 'vitest';
import { configOf } from '../../src/config/load.ts';
import type { SearchAsked } from '../../src/serve/search.ts';
import type { Surfaces } from '../../src/serve/surfaces.ts';
import { graphOf, query, RELATIONS, surfacesOf, T0, type TestGraph, tweet, user } from './serve-fixture.ts';

const ask = (surfaces: Surfaces, text: string, asked: Partial<SearchAsked> = {}) =>
  surfaces.search({ q: text, type: 'tweet', k: 3, ...asked });

/**
 * Two subjects: jazz on the right, at x from 10, and chess on the left, at x from -10. Tweets and users are numbered from
 * the middle outwards. Likes lead one to the right, and follows nowhere; from a query back to its users it is 5 upwards.
 */
function subjects(): TestGraph {
  const graph = graphOf();
  for (let i = 0; i < 10; i++) {
    graph.put(tweet(`jazz${i}`), [10 + i, 0]);
    graph.put(tweet(`chess${i}`), [-10 - i, 0]);
    graph.put(user(`jazz${i}`), [10 + i, 0]);
    graph.put(user(`chess${i}`), [-10 - i, 0]);
  }
  for (const text of ['jazz news', 'jazz podcast', 'chess news', 'chess podcast'])
    graph.put(query(text), [text.startsWith('jazz') ? 14 : -14, -5]);
  graph.relate('likes', [1, 0]);
  graph.relate('follows', [0, 0], { rhs: 'user' });
  graph.relate('searches', [0, -5], { rhs: 'query' });
  graph.relate('searches', [0, 5], { rhs: 'query', inverse: true });
  return graph;
}

describe('a search', () => {
  it('is asked as for a user in the middle of those who searched it', async () => {
    const graph = subjects();
    for (const i of [0, 2, 'nobody']) graph.edges(user(`jazz${i}`), 'searches', [query('jazz news')]);
    // The mean of 10 and 12, moved by 1.
    expect(await ask(surfacesOf(graph), 'jazz news')).toEqual({
      items: [
        { entity: tweet('jazz2'), score: 0 },
        { entity: tweet('jazz1'), score: -1 },
        { entity: tweet('jazz3'), score: -1 },
      ],
      ...{ graph: 'g', space: 'a', step: 1, asOf: T0, staleSince: null, fallback: null },
      filtered: { erased: 0, idle: 0 },
      query: { text: 'jazz news', known: true, graph: 'g' },
    });
    const users = await ask(surfacesOf(graph), 'jazz news', { type: 'user', k: 1 });
    expect(users.items).toEqual([{ entity: user('jazz1'), score: 0 }]);
  });

  it('weighs relations by what all users did', async () => {
    const graph = subjects();
    graph.relate('retweets', [5, 0]);
    graph.edges(user('jazz0'), 'searches', [query('jazz news')]);
    graph.edges(user('other'), 'likes', [tweet('a'), tweet('b'), tweet('c')]);
    graph.edges(user('other'), 'retweets', [tweet('a')]);
    // From 10, likes lead to 11 and retweets to 15: three quarters of a square, and one quarter.
    const { items } = await ask(surfacesOf(graph), 'jazz news', { k: 2 });
    expect(items).toEqual([
      { entity: tweet('jazz2'), score: -0.75 - 0.25 * 9 },
      { entity: tweet('jazz1'), score: -0.25 * 16 },
    ]);
  });

  it('is asked by the vector of the query and the way back to its users where nobody is known to have searched it', async () => {
    const graph = subjects();
    const { items, query: of } = await ask(surfacesOf(graph), 'jazz news', { k: 1 });
    expect([items, of.known]).toEqual([[{ entity: tweet('jazz5'), score: 0 }], true]);
    graph.relate('searches', [0, 5], { rhs: 'query', inverse: true, trained: false });
    expect(await ask(surfacesOf(graph), 'jazz news')).toMatchObject({ fallback: 'popular', items: [] });
  });

  it('of a query without a vector gives what is popular, and only what has a vector', async () => {
    const graph = subjects();
    for (const [target, fans] of [
      ['jazz1', 2],
      ['gone', 3],
      ['chess1', 1],
    ] as const)
      for (let by = 0; by < fans; by++) graph.edges(user(`fan${by}`), 'likes', [tweet(target)]);
    expect(await ask(surfacesOf(graph), 'xylophone')).toMatchObject({
      items: [
        { entity: tweet('jazz1'), score: null },
        { entity: tweet('chess1'), score: null },
      ],
      fallback: 'popular',
      query: { text: 'xylophone', known: false, graph: 'g' },
    });
    expect(await ask(surfacesOf(graphOf()), 'jazz news')).toMatchObject({ items: [], fallback: 'popular' });
    // Its vector makes a query known, and its tombstone unknown.
    const surfaces = surfacesOf(graph);
    graph.edges(user('jazz0'), 'searches', [query('xylophone')]);
    for (const [vector, fallback] of [
      [[-14, -5], null],
      [null, 'popular'],
    ] as const) {
      graph.put(query('xylophone'), vector && [...vector]);
      expect(await ask(surfaces, 'xylophone')).toMatchObject({
        fallback,
        query: { known: fallback === null },
      });
    }
  });

  it('is asked of a graph that knows of searches and of the type', async () => {
    const likes = graphOf({ name: 'likes', relations: RELATIONS.filter(({ rhs }) => rhs === 'tweet') });
    const whole = graphOf({ name: 'whole' });
    const two = { graphs: [likes, whole] };
    expect(await ask(surfacesOf(likes, two), 'jazz')).toMatchObject({ graph: 'whole' });
    expect(await ask(surfacesOf(likes, two), 'jazz', { graph: 'likes' })).toMatchObject({
      graph: 'likes',
      query: { graph: 'whole' },
    });
    const refusal = (message: RegExp) =>
      expect.objectContaining({ field: 'type', message: expect.stringMatching(message) });
    await expect(ask(surfacesOf(likes), 'jazz')).rejects.toThrow(
      refusal(/a search needs a relation to query/),
    );
    await expect(ask(surfacesOf(likes, two), 'jazz', { graph: 'likes', type: 'user' })).rejects.toThrow(
      refusal(/graphs likes .*user to user; expected one of tweet/),
    );
    await expect(ask(surfacesOf(likes, two), 'jazz', { graph: 'third' })).rejects.toThrow(
      expect.objectContaining({ field: 'graph' }),
    );
  });

  it('leaves out what is idle, if asked to, and is as long as before', async () => {
    const graph = subjects();
    graph.edges(user('jazz0'), 'searches', [query('jazz news')]);
    for (let i = 0; i < 10; i++) graph.spaces.active(tweet(`jazz${i}`), T0 - (i < 5 ? 5_000 : 0));
    const { items, filtered } = await ask(surfacesOf(graph), 'jazz news', { idleMs: 2_000 });
    expect(items.map(({ entity }) => entity)).toEqual(['jazz5', 'jazz6', 'jazz7'].map(tweet));
    // Of the tweets on chess nothing is known, although the events reach back.
    expect(filtered).toEqual({ erased: 0, idle: 15 });
  });
});

/**
 * The graphs of the default configuration. In `engagement`, users are on a line, user 0 at 0, user 1 at 10; queries lie 5 below
 * their users. In `follow`, the same users are turned: user 0 at [0, 0], user 1 at [0, 100]; follows lead one upwards.
 */
function defaultGraphs(): { engagement: TestGraph; follow: TestGraph; surfaces: Surfaces } {
  const { graphs } = configOf({}, {}, '/');
  const [engagement, follow] = ['engagement', 'follow'].map((name) => {
    const { relations } = graphs.find((each) => each.name === name)!.model;
    return graphOf({ name, relations });
  });
  for (let i = 0; i < 10; i++) {
    engagement!.put(user(i), [10 * i, 0]);
    follow!.put(user(i), [0, 100 * i]);
  }
  engagement!.put(query('chess'), [30, -5]);
  engagement!.relate('searches', [0, -5], { rhs: 'query' });
  engagement!.relate('searches', [0, 5], { rhs: 'query', inverse: true });
  follow!.relate('follows', [0, 1], { rhs: 'user' });
  const surfaces = surfacesOf(engagement!, { graphs: [engagement!, follow!] });
  return { engagement: engagement!, follow: follow!, surfaces };
}

describe('a search for users with the graphs of the default configuration', () => {
  const users = { type: 'user', k: 1 } as const;

  it('is made of vectors of follow, of those who searched the query in engagement', async () => {
    const { engagement, follow, surfaces } = defaultGraphs();
    // Nobody knows user 77 in follow.
    for (const i of [2, 4, 77]) engagement.edges(user(i), 'searches', [query('chess')]);
    expect(await ask(surfaces, 'chess', { ...users, k: 2 })).toEqual({
      // The mean of 200 and 400, moved by 1.
      items: [
        { entity: user(3), score: -1 },
        { entity: user(4), score: -(99 ** 2) },
      ],
      ...{ graph: 'follow', space: 'a', step: 1, asOf: T0, staleSince: null, fallback: null },
      filtered: { erased: 0, idle: 0 },
      query: { text: 'chess', known: true, graph: 'engagement' },
    });
    // By name, the graph with the vectors.
    const named = await ask(surfaces, 'chess', { ...users, graph: 'follow' });
    expect(named.items).toEqual([{ entity: user(3), score: -1 }]);
    await expect(ask(surfaces, 'chess', { ...users, graph: 'engagement' })).rejects.toThrow(
      expect.objectContaining({ field: 'type' }),
    );
    // Who was erased in either is none of them.
    engagement.activity.take({ erased: user(2), at: T0 + 5 });
    expect((await ask(surfaces, 'chess', users)).items).toEqual([{ entity: user(4), score: -1 }]);
    follow.put(user(4), null);
    expect((await ask(surfaces, 'chess', users)).fallback).toBeNull();
  });

  it('is asked as for the users nearest to the query where nobody is known to have searched it', async () => {
    const { engagement, follow, surfaces } = defaultGraphs();
    // All ten are among the twenty nearest: the middle is at 450, and moved by 1 nearer to 500.
    expect((await ask(surfaces, 'chess', users)).items).toEqual([{ entity: user(5), score: -(49 ** 2) }]);
    // Of thirty, the twenty nearest to 30 are those from there up to 32, and none of the first ten but the third.
    for (let i = 0; i < 20; i++) {
      engagement.put(user(`near${i}`), [30 + i / 10, 0]);
      follow.put(user(`near${i}`), [0, 1_000]);
    }
    engagement.put(user(3), [40, 0]);
    follow.put(user('far'), [0, 1_001]);
    expect((await ask(surfaces, 'chess', users)).items).toEqual([{ entity: user('far'), score: 0 }]);
    // Without a trained way back, what is popular.
    engagement.relate('searches', [0, 5], { rhs: 'query', inverse: true, trained: false });
    follow.edges(user(1), 'follows', [user(7)]);
    expect(await ask(surfaces, 'chess', users)).toMatchObject({
      ...{ graph: 'follow', fallback: 'popular', items: [{ entity: user(7), score: null }] },
    });
  });

  it('says since when either graph is stale', async () => {
    const { engagement, follow } = defaultGraphs();
    const stale = { ...engagement, staleSince: () => T0 };
    for (const [graphs, since] of [
      [[stale, follow], T0],
      [[stale, { ...follow, staleSince: () => T0 - 1 }], T0 - 1],
      [[engagement, { ...follow, staleSince: () => T0 + 1 }], T0 + 1],
    ] as const)
      expect((await ask(surfacesOf(engagement, { graphs }), 'chess', users)).staleSince).toBe(since);
  });
});
