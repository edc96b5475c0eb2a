import { describe, expect, it } from 'vitest';
import { Random } from '../../src/sampling/random.ts';
import { type CentroidsOf, clustering } from '../../src/serve/interests.ts';
import type { CandidatesAsked } from '../../src/serve/surfaces.ts';
import { VectorTable } from '../../src/serve/vector-table.ts';
import {
  ad,
  advertiser,
  graphOf,
  many,
  surfacesOf,
  T0,
  type TestGraph,
  tweet,
  user,
} from './serve-fixture.ts';

/** Clusters whose work is done by hand. */
function clustersByHand() {
  const random = Random.seeded(1);
  const work: (() => void)[] = [];
  const clock = { now: 0 };
  const centroidsOf = clustering(
    (task) => void work.push(task),
    () => clock.now,
    (n) => random.below(n),
  );
  /** Does all that is waiting, and all that comes of it. Gives how many turns that took. */
  const doAll = () => {
    let turns = 0;
    for (let task = work.shift(); task !== undefined; task = work.shift(), turns++) task();
    return turns;
  };
  return { centroidsOf, clock, work, doAll };
}

/** Entities 0 … n - 1 at the numbers themselves. */
function tableOf(n: number): VectorTable {
  const table = new VectorTable('tweet', 1, n);
  for (let i = 0; i < n; i++) table.set(tweet(i), Float32Array.of(i));
  return table;
}

describe('clusters', () => {
  it('are made in many turns of a few vectors each, once somebody asks', () => {
    const { centroidsOf, work, doAll } = clustersByHand();
    const table = tableOf(1_000);
    expect(work).toHaveLength(0);
    expect(centroidsOf(table)).toBeUndefined();
    expect(centroidsOf(table)).toBeUndefined();
    expect(work).toHaveLength(1);
    // Ten rounds of 64 vectors a turn, and one for the end.
    expect(doAll()).toBe(10 * Math.ceil(1_000 / 64) + 1);
    expect(centroidsOf(table)).toHaveLength(256);
    expect(work).toHaveLength(0);
  });

  it('are made again when they are old, and serve until then', () => {
    const { centroidsOf, clock, work, doAll } = clustersByHand();
    const table = tableOf(10);
    centroidsOf(table);
    doAll();
    const first = centroidsOf(table);
    for (let i = 0; i < 10; i++) table.set(tweet(i), Float32Array.of(1_000 + i));
    clock.now = 599_999;
    expect(centroidsOf(table)).toBe(first);
    expect(work).toHaveLength(0);
    clock.now = 600_000;
    expect(centroidsOf(table)).toBe(first);
    doAll();
    expect(Math.min(...centroidsOf(table)!.map(([value]) => value!))).toBeGreaterThanOrEqual(1_000);
  });

  it('do not begin with an empty table', () => {
    const { centroidsOf, work } = clustersByHand();
    const table = tableOf(3);
    for (let i = 0; i < 3; i++) table.delete(tweet(i));
    for (const empty of [tableOf(0), table]) expect(centroidsOf(empty)).toBeUndefined();
    expect(work).toHaveLength(0);
  });
});

describe('lists by several interests', () => {
  const TWO: CentroidsOf = () => [Float64Array.of(5, 0), Float64Array.of(105, 0)];

  /** Tweets 0 … 19 at 0 … 19, tweets 100 … 119 at 100 … 119; the user and the relation lead to 0. */
  function twoPlaces(): TestGraph {
    const graph = graphOf();
    graph.put(user(1), [0, 0]);
    graph.relate('likes', [0, 0]);
    graph.relate('retweets', [0, 0]);
    for (const first of [0, 100]) for (let i = first; i < first + 20; i++) graph.put(tweet(i), [i, 0]);
    return graph;
  }

  /** With a cluster at each of the two places, unless others are given. */
  async function asked(graph: TestGraph, of: Partial<CandidatesAsked>, centroidsOf = TWO) {
    const surfaces = surfacesOf(graph, { centroidsOf });
    return surfaces.candidates({ surface: 'home', from: user(1), k: 6, ...of });
  }
  const home = async (...of: Parameters<typeof asked>) => {
    const { items, ...rest } = await asked(...of);
    return { ...rest, tweets: items.map(({ entity }) => Number(entity.slice('tweet:'.length))) };
  };

  it('give each interest its share of the places, without what was seen', async () => {
    const graph = twoPlaces();
    graph.edges(user(1), 'likes', [105, 3].map(tweet));
    graph.edges(user(1), 'retweets', [tweet(5)], T0 + 50);
    // 3 and 5 are one interest, around 4, with two of three places. Of tweets as near, the lower row comes first.
    expect(await home(graph, { interests: 'mixture' })).toMatchObject({
      tweets: [4, 104, 2, 6, 106, 1],
      interests: 'mixture',
      fallback: null,
      filtered: { seen: 3 },
    });
    expect(await home(graph, { interests: 'none' })).toMatchObject({
      tweets: [0, 1, 2, 4, 6, 7],
      interests: 'none',
    });
  });

  it('are made of the newest hundred targets', async () => {
    const graph = twoPlaces();
    graph.edges(user(1), 'likes', many(tweet, 18, 101), 1_000);
    graph.edges(user(1), 'likes', [tweet(3)], 2_000);
    for (let i = 0; i < 99; i++) graph.put(tweet(1_000 + i), [3, 0]);
    graph.edges(user(1), 'likes', many(tweet, 99, 1_000), 3_000);
    const { tweets } = await home(graph, { interests: 'mixture' });
    expect(tweets.every((tweet) => tweet < 20)).toBe(true);
  });

  it('are plain lists until the clusters are made', async () => {
    const graph = twoPlaces();
    graph.edges(user(1), 'likes', [105, 107, 3].map(tweet));
    const { centroidsOf, doAll } = clustersByHand();
    const before = await home(graph, { interests: 'mixture' }, centroidsOf);
    expect(before).toMatchObject({ tweets: [0, 1, 2, 4, 5, 6], interests: 'none' });
    doAll();
    // With as many clusters as vectors drawn, each target is about alone in its cluster.
    const after = await home(graph, { interests: 'mixture' }, centroidsOf);
    expect(after.interests).toBe('mixture');
    expect(after.tweets.filter((tweet) => tweet >= 100)).toHaveLength(4);
    expect(after.tweets).not.toContain(105);
  });

  it('are plain lists for a user without a target, and need no vector of the user', async () => {
    const graph = twoPlaces();
    const plain = await home(graph, { interests: 'mixture' });
    expect(plain).toMatchObject({ tweets: [0, 1, 2, 3, 4, 5], interests: 'none' });
    graph.edges(user(2), 'likes', [tweet(110)]);
    const unknown = await home(graph, { from: user(2), interests: 'mixture', k: 3 });
    expect(unknown).toMatchObject({ fallback: null, interests: 'mixture' });
    expect([...unknown.tweets].sort()).toEqual([108, 109, 111]);
    expect(await home(graph, { from: user(3), interests: 'mixture' })).toMatchObject({
      fallback: 'popular',
      interests: 'none',
    });
  });

  it('say which target an item is near to', async () => {
    const graph = twoPlaces();
    graph.edges(user(1), 'likes', [tweet(105)]);
    graph.edges(user(1), 'retweets', [tweet(3)], T0 + 50);
    const { items } = await asked(graph, { interests: 'mixture', explain: true, k: 2 });
    // Both have a half; the newer one comes first.
    expect(items).toEqual([
      {
        entity: tweet(2),
        score: -1,
        reason: { relation: 'retweets', share: 0.5, score: -1, near: tweet(3), distance: 1 },
      },
      {
        entity: tweet(104),
        score: -1,
        reason: { relation: 'likes', share: 0.5, score: -1, near: tweet(105), distance: 1 },
      },
    ]);
    // A list that leaves nothing out has the targets too. Each is near to the other one, never to itself.
    const surfaces = [{ name: 'all', from: ['user'], to: 'tweet', leaveOut: [] }];
    const all = await surfacesOf(graph, { surfaces, centroidsOf: TWO }).candidates({
      ...{ surface: 'all', from: user(1), interests: 'mixture', explain: true, k: 2 },
    });
    expect(all.items.map(({ entity, reason }) => [entity, reason?.near])).toEqual([
      [tweet(3), tweet(105)],
      [tweet(105), tweet(3)],
    ]);
  });

  it('have no more ads of one advertiser than any list', async () => {
    const graph = graphOf();
    graph.put(user(1), [0, 0]);
    graph.relate('clicks', [0, 0]);
    for (let i = 0; i < 12; i++) graph.put(ad(i), [i, 0]);
    graph.edges(user(1), 'clicks', [ad(0)]);
    graph.edges(advertiser('a'), 'promotes', many(ad, 9));
    const { items } = await asked(graph, { surface: 'ads', interests: 'mixture', k: 5 });
    expect(items.map(({ entity }) => entity)).toEqual([1, 2, 9, 10, 11].map(ad));
  });
});
