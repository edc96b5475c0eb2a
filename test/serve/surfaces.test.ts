import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type EntityKey, parseEntityKey } from '../../src/graph/entity.ts';
import { SURFACES } from '../../src/graph/surface.ts';
import { rowMarks } from '../../src/kernels/scan/scan.ts';
import { Random } from '../../src/sampling/random.ts';
import { acceptedTop, groupLimiter } from '../../src/serve/accepted-rows.ts';
import { Entities } from '../../src/serve/entities.ts';
import { type CandidatesAsked, Surfaces } from '../../src/serve/surfaces.ts';
import { type WeightedRow, weightedTop } from '../../src/serve/weighted-top.ts';
import {
  activityOf,
  ad,
  advertiser,
  answerOf,
  block,
  edge,
  graphOf,
  liveTargets,
  many,
  passes,
  query,
  RELATIONS,
  surfacesOf,
  T0,
  type TestGraph,
  tweet,
  unblock,
  user,
} from './serve-fixture.ts';

async function listed(surfaces: Surfaces, asked: Partial<CandidatesAsked> = {}): Promise<EntityKey[]> {
  const { items } = await surfaces.candidates({ surface: 'home', from: user(1), k: 10, ...asked });
  return items.map(({ entity }) => entity);
}

/** Tweets 1 … n on a line, at 1, 2, … n. The user is at 0, and likes nothing yet; the relation does not move the user. */
function line(n: number): TestGraph {
  const graph = graphOf();
  graph.put(user(1), [0, 0]);
  for (let i = 1; i <= n; i++) graph.put(tweet(i), [i, 0]);
  graph.relate('likes', [0, 0]);
  return graph;
}

describe('home', () => {
  /** From (0, 0), likes lead to (0, 4), retweets to (4, 0). */
  function crossing(): TestGraph {
    const graph = graphOf();
    graph.put(user(1), [0, 0]);
    graph.put(tweet('up'), [0, 4]);
    graph.put(tweet('right'), [4, 0]);
    graph.put(tweet('between'), [2, 2]);
    graph.relate('likes', [0, 4], { scorer: 'transe-l1' });
    graph.relate('retweets', [4, 0], { scorer: 'transe-l1' });
    return graph;
  }

  it('weighs each relation by the number of the own live edges', async () => {
    const graph = crossing();
    graph.edges(user(1), 'likes', [tweet('x'), tweet('y'), tweet('z')]);
    graph.edges(user(1), 'retweets', [tweet('x'), tweet('w')]);
    graph.activity.take(edge(user(1), 'retweets', tweet('w'), T0 + 9, true));
    // Three likes and one retweet. L1 distances to (0, 4) and (4, 0): up 0 and 8, between 4 and 4, right 8 and 0.
    expect(await surfacesOf(graph).candidates({ surface: 'home', from: user(1), k: 3 })).toEqual({
      items: [
        { entity: tweet('up'), score: -2 },
        { entity: tweet('between'), score: -4 },
        { entity: tweet('right'), score: -6 },
      ],
      ...{ graph: 'g', space: 'a', step: 1, asOf: T0 + 9, staleSince: null, fallback: null },
      filtered: { seen: 4, blocked: 0, excluded: 0, erased: 0, idle: 0 },
      seenComplete: true,
      interests: 'none',
    });
  });

  it('weighs all relations alike for a user without edges', async () => {
    const { items } = await surfacesOf(crossing()).candidates({ surface: 'home', from: user(1), k: 3 });
    expect(items.map(({ score }) => score)).toEqual([-4, -4, -4]);
  });

  it('leaves relations out that are not trained, whatever the edges are', async () => {
    const graph = crossing();
    graph.edges(user(1), 'likes', [tweet('x'), tweet('y')]);
    graph.relate('likes', [0, 4], { scorer: 'transe-l1', trained: false });
    expect(await listed(surfacesOf(graph))).toEqual([tweet('right'), tweet('between'), tweet('up')]);
    const byLikes = { surface: 'home', from: user(1), k: 3, relation: 'likes' } as const;
    expect(await surfacesOf(graph).candidates(byLikes)).toMatchObject({ fallback: 'popular', items: [] });
    graph.relate('retweets', [4, 0], { scorer: 'transe-l1', trained: false });
    graph.edges(user(9), 'likes', [tweet('between')]);
    expect(await surfacesOf(graph).candidates({ surface: 'home', from: user(1), k: 3 })).toMatchObject({
      fallback: 'popular',
      items: [{ entity: tweet('between'), score: null }],
    });
  });

  it('never has what the user engaged with by any relation, or asks to leave out', async () => {
    const graph = line(9);
    graph.edges(user(1), 'likes', [tweet(1)]);
    graph.edges(user(1), 'retweets', [tweet(3), tweet(3)]);
    // Of these, one is seen, one is named twice, and one is no tweet with a vector.
    const exclude = [tweet(2), tweet(3), tweet(2), tweet(99)];
    const answer = await surfacesOf(graph).candidates({ surface: 'home', from: user(1), k: 3, exclude });
    expect(answer.items.map(({ entity }) => entity)).toEqual([tweet(4), tweet(5), tweet(6)]);
    expect(answer.filtered).toEqual({ seen: 2, blocked: 0, excluded: 1, erased: 0, idle: 0 });
    // A list of one relation leaves out what was engaged with by the others, too.
    const byLikes = { relation: 'likes', k: 3, exclude: [tweet(2)] };
    expect(await listed(surfacesOf(graph), byLikes)).toEqual([4, 5, 6].map(tweet));
    // A like that was taken back is left out as before.
    graph.activity.take(edge(user(1), 'likes', tweet(1), T0 + 9, true));
    graph.put(tweet(5), null);
    expect(await listed(surfacesOf(graph), { k: 3, exclude })).toEqual([tweet(4), tweet(6), tweet(7)]);
  });

  it('is as long as asked for while so many are left', async () => {
    const graph = line(300);
    graph.relate('retweets', [9, 9]);
    const surfaces = surfacesOf(graph);
    const ids = fc.uniqueArray(fc.integer({ min: 1, max: 310 }), { maxLength: 200 });
    await fc.assert(
      fc.asyncProperty(
        ids,
        ids,
        fc.integer({ min: 1, max: 320 }),
        fc.nat(1e6),
        async (seen, excluded, k, each) => {
          const reader = user(`reader${each}`);
          graph.put(reader, [0, each % 5]);
          graph.edges(reader, 'likes', seen.map(tweet));
          const items = await listed(surfaces, { from: reader, k, exclude: excluded.map(tweet) });
          const live = liveTargets(graph.activity, reader, 'likes');
          const left = Array.from({ length: 300 }, (_, i) => i + 1).filter(
            (i) => !live.includes(tweet(i)) && !excluded.includes(i),
          );
          expect(items).toHaveLength(Math.min(k, left.length));
          expect(new Set(items).size).toBe(items.length);
          expect(items.filter((entity) => !left.map(tweet).includes(entity))).toEqual([]);
        },
      ),
      { numRuns: 60 },
    );
  });

  it('leaves out what is idle, if asked to, and is as long as asked for', async () => {
    const graph = line(300);
    const activeOf = (i: number) => T0 - 1_000 * (i % 100);
    for (let i = 1; i <= 300; i++) graph.spaces.active(tweet(i), activeOf(i));
    graph.edges(user(2), 'likes', [tweet(300)]);
    for (const idleMs of [1_000, 9_000, 99_000, 1e9]) {
      for (const relation of [undefined, 'likes']) {
        const asked = { surface: 'home', from: user(1), k: 20, idleMs, relation } as const;
        const answer = await surfacesOf(graph).candidates(asked);
        const left = Array.from({ length: 300 }, (_, i) => i + 1).filter((i) => activeOf(i) >= T0 - idleMs);
        expect(answer.items.map(({ entity }) => entity)).toEqual(left.slice(0, 20).map(tweet));
        expect(answer.filtered.idle).toBe(300 - left.length);
      }
    }
    const popular = await surfacesOf(graph).candidates({
      ...{ surface: 'home', from: user('new'), k: 20, idleMs: 1_000 },
    });
    expect([popular.fallback, popular.items.map(({ entity }) => entity)]).toEqual(['popular', [tweet(300)]]);
    for (const i of [5, 7, 100]) graph.edges(user(2), 'likes', [tweet(i)]);
    const again = await surfacesOf(graph).candidates({
      ...{ surface: 'home', from: user('new'), k: 20, idleMs: 6_000 },
    });
    expect(again.items.map(({ entity }) => entity).sort()).toEqual([tweet(100), tweet(300), tweet(5)].sort());
  });

  it('takes nothing for idle of which no event is known, where the events do not reach back so far', async () => {
    const graph = line(4);
    graph.spaces.active(tweet(2), T0 - 5_000);
    graph.edges(user(2), 'likes', [tweet(300)]);
    const of = async (since: number) =>
      listed(surfacesOf({ ...graph, eventsSince: () => since }), { idleMs: 2_000 });
    expect(await of(T0 - 2_000)).toEqual([]);
    expect(await of(T0 - 1_999)).toEqual([1, 3, 4].map(tweet));
    // An event from a clock that is ahead makes nothing idle before its time.
    graph.activity.take(edge(user(2), 'likes', tweet(300), T0 + 24 * 3_600_000));
    for (let i = 1; i <= 4; i++) graph.spaces.active(tweet(i), T0 + 3_600_000);
    expect(await of(0)).toHaveLength(4);
  });

  it('explains each item by its best relation and the nearest of the own engagements', async () => {
    const graph = crossing();
    graph.put(tweet('old'), [0, 5]);
    graph.put(tweet('new'), [4, 1]);
    graph.edges(user(1), 'likes', [tweet('old'), tweet('gone'), tweet('gone too')]);
    graph.edges(user(1), 'retweets', [tweet('new')]);
    const explained = { surface: 'home', from: user(1), k: 9, explain: true } as const;
    const { items } = await surfacesOf(graph).candidates(explained);
    expect(items.map(({ entity, reason }) => [entity, reason])).toEqual([
      [tweet('up'), { relation: 'likes', share: 0.75, score: -0, near: tweet('old'), distance: 1 }],
      // Both relations are as near: the first one is named.
      [
        tweet('between'),
        { relation: 'likes', share: 0.75, score: -4, near: tweet('new'), distance: Math.sqrt(5) },
      ],
      [tweet('right'), { relation: 'retweets', share: 0.25, score: -0, near: tweet('new'), distance: 1 }],
    ]);
    // A list that leaves nothing out has the targets too, and none of them is near to itself.
    const surfaces = [{ name: 'all', from: ['user'], to: 'tweet', leaveOut: [] }];
    const all = await surfacesOf(graph, { surfaces }).candidates({ ...explained, surface: 'all' });
    const near = Object.fromEntries(all.items.map(({ entity, reason }) => [entity, reason?.near]));
    expect(near).toMatchObject({ [tweet('old')]: tweet('new'), [tweet('new')]: tweet('old') });
    const lonely = graphOf({ activity: activityOf() });
    lonely.put(user(1), [0, 0]);
    lonely.put(tweet(1), [3, 4]);
    lonely.relate('likes', [0, 0], { scorer: 'transe-l2', beta: 2 });
    const { items: alone } = await surfacesOf(lonely).candidates(explained);
    expect(alone).toEqual([
      { entity: tweet(1), score: -10, reason: { relation: 'likes', share: 1, score: -10 } },
    ]);
  });
});

describe('an erased entity', () => {
  /** A tweet erased at T0 + 5, whose vector is still there. */
  function erased(): { graph: TestGraph; surfaces: Surfaces } {
    const graph = line(5);
    graph.relate('searches', [0, 0], { rhs: 'query', inverse: true });
    graph.put(query('jazz'), [2, 0]);
    graph.activity.take({ erased: tweet(2), at: T0 + 5 });
    return { graph, surfaces: surfacesOf(graph) };
  }
  /** Where the surfaces have the tweet, and what they say of it. */
  async function seen(surfaces: Surfaces) {
    const list = await surfaces.candidates({ surface: 'home', from: user(1), k: 9 });
    const popular = await surfaces.candidates({ surface: 'home', from: user('new'), k: 9 });
    const near = await surfaces.similar({ entity: tweet(1), k: 9 });
    const found = await surfaces.search({ q: 'jazz', type: 'tweet', k: 9 });
    const ranks = surfaces.rank({ from: user(1), relation: 'likes', candidates: [tweet(1), tweet(2)] });
    const hasIt = ({ items }: { readonly items: readonly { readonly entity: EntityKey }[] }) =>
      items.some(({ entity }) => entity === tweet(2));
    return {
      listed: [list, popular, near!, found, ranks!].map(hasIt),
      erased: [list, popular, near!, found].map(({ filtered }) => filtered.erased),
      missing: ranks!.missing,
      isKnown: (await surfaces.similar({ entity: tweet(2), k: 1 })) !== undefined,
    };
  }
  const nowhere = { listed: Array(5).fill(false), missing: [tweet(2)], isKnown: false };

  it('is nowhere from its event on, is counted until its tombstone, and comes back by newer events', async () => {
    const { graph, surfaces } = erased();
    expect(await seen(surfaces)).toEqual({ ...nowhere, erased: [1, 1, 1, 1] });
    const full = await surfaces.candidates({ surface: 'home', from: user(1), k: 4, explain: true });
    expect(full.items.map(({ entity }) => entity)).toEqual([1, 3, 4, 5].map(tweet));
    // The updater moved it once more, and had read other topics further than that of the erasure.
    graph.put(tweet(2), [2, 1], T0 + 9);
    expect(await seen(surfaces)).toEqual({ ...nowhere, erased: [1, 1, 1, 1] });
    graph.put(tweet(2), null, T0 + 9);
    expect(await seen(surfaces)).toEqual({ ...nowhere, erased: [0, 0, 0, 0] });
    // An event from before the erasure brings nothing back.
    graph.edges(user(7), 'likes', [tweet(2)], T0 + 5);
    graph.put(tweet(2), [2, 0], T0 + 10);
    expect(await seen(surfaces)).toMatchObject({ ...nowhere, erased: [1, 1, 1, 1] });
    graph.edges(user(7), 'likes', [tweet(2)], T0 + 11);
    graph.put(tweet(2), [2, 0], T0 + 11);
    expect(await seen(surfaces)).toMatchObject({
      listed: Array(5).fill(true),
      ...{ erased: [0, 0, 0, 0], missing: [], isKnown: true },
    });
  });

  it('comes back by its newer event alone where that is read after the vector', async () => {
    const { graph, surfaces } = erased();
    graph.put(tweet(2), null);
    graph.put(tweet(2), [2, 0], T0 + 11);
    expect(await seen(surfaces)).toMatchObject(nowhere);
    graph.edges(user(7), 'likes', [tweet(2)], T0 + 11);
    expect(await seen(surfaces)).toMatchObject({ listed: Array(5).fill(true), isKnown: true });
  });

  it('is not counted twice, and as the user it is one without a vector', async () => {
    const { graph, surfaces } = erased();
    const asked = { surface: 'home', from: user(1), k: 9, exclude: [tweet(2), tweet(3)] } as const;
    expect((await surfaces.candidates(asked)).filtered).toMatchObject({ excluded: 1, erased: 0 });
    graph.activity.take({ erased: user(1), at: T0 + 5 });
    expect(await surfaces.candidates({ ...asked, surface: 'who-to-follow', exclude: [] })).toMatchObject({
      ...{ fallback: 'popular', filtered: { erased: 0 } },
    });
    expect(surfaces.rank({ from: user(1), relation: 'likes', candidates: [tweet(1)] })).toBeUndefined();
  });
});

describe('a user without a vector', () => {
  it('gets what is popular, never what is seen, excluded or without a vector', async () => {
    const graph = line(6);
    // From the most popular to the least: 1, 2, … 6, and one that has no vector.
    for (let i = 1; i <= 6; i++)
      for (let by = i; by <= 8; by++) graph.activity.take(edge(user(`fan${by}`), 'likes', tweet(i), T0));
    for (let by = 0; by < 9; by++) graph.activity.take(edge(user(`fan${by}`), 'likes', tweet('erased'), T0));
    graph.edges(user('new'), 'likes', [tweet(2), tweet(4)]);
    graph.activity.take(edge(user('new'), 'likes', tweet(4), T0 + 9, true));
    const asked = { surface: 'home', from: user('new'), k: 3, exclude: [tweet(1)] } as const;
    expect(await surfacesOf(graph).candidates(asked)).toEqual({
      // The fourth was liked and unliked.
      items: [3, 5, 6].map((i) => ({ entity: tweet(i), score: null })),
      ...{ graph: 'g', space: 'a', step: 1, asOf: T0 + 9, staleSince: null, fallback: 'popular' },
      filtered: { seen: 2, blocked: 0, excluded: 1, erased: 0, idle: 0 },
      seenComplete: true,
      interests: 'none',
    });
  });

  it('gets so many ads of each advertiser at most', async () => {
    const graph = graphOf();
    for (const i of [1, 2, 3, 4, 5]) {
      graph.put(ad(i), [i, 0]);
      for (let by = i; by <= 6; by++) graph.edges(user(`fan${by}`), 'clicks', [ad(i)]);
    }
    graph.edges(advertiser('a'), 'promotes', [ad(1), ad(2), ad(3)]);
    const asked = { surface: 'ads', from: user('new'), exclude: [ad(1)] } as const;
    expect(await listed(surfacesOf(graph), asked)).toEqual([2, 3, 4, 5].map(ad));
    expect(await listed(surfacesOf(graph), { surface: 'ads', from: user('new') })).toEqual(
      [1, 2, 4, 5].map(ad),
    );
  });

  it('gets nothing while nothing is known', async () => {
    expect(await surfacesOf(graphOf()).candidates({ surface: 'home', from: user(1), k: 3 })).toEqual({
      ...{ items: [], graph: 'g', space: '', step: 0, asOf: 0, staleSince: null, fallback: 'popular' },
      filtered: { seen: 0, blocked: 0, excluded: 0, erased: 0, idle: 0 },
      seenComplete: true,
      interests: 'none',
    });
  });
});

describe('who-to-follow', () => {
  it('has neither the one who blocked a user, nor the one who was blocked', async () => {
    const graph = graphOf();
    for (const i of [1, 2, 3]) graph.put(user(i), [i, 0]);
    graph.relate('follows', [0, 0], { rhs: 'user' });
    const of = async (id: number) => {
      const asked = { surface: 'who-to-follow', from: user(id), k: 9 } as const;
      const { items, filtered } = await surfacesOf(graph).candidates(asked);
      return [items.map(({ entity }) => entity), filtered.blocked];
    };
    graph.activity.take(block(user(1), user(2)));
    expect([await of(1), await of(2)]).toEqual([
      [[user(3)], 1],
      [[user(3)], 1],
    ]);
    graph.activity.take(unblock(user(1), user(2), T0 + 1));
    expect(await of(2)).toEqual([[user(1), user(3)], 0]);
    // Taken back is what the blocker did: the one who was blocked is no suggestion all the same.
    expect(await of(1)).toEqual([[user(3)], 0]);
  });

  it('says that what was seen may be incomplete', async () => {
    const activity = activityOf({ edgesOfOne: 2 });
    const graph = graphOf({ activity });
    for (const i of [1, 2, 3, 4]) graph.put(user(i), [i, 0]);
    graph.relate('follows', [0, 0], { rhs: 'user' });
    const complete = async () =>
      (await surfacesOf(graph).candidates({ surface: 'who-to-follow', from: user(1), k: 9 })).seenComplete;
    graph.edges(user(1), 'follows', [user(2), user(3)]);
    expect(await complete()).toBe(true);
    graph.edges(user(1), 'follows', [user(4)], T0 + 9);
    expect(await complete()).toBe(false);
  });
});

describe('ads', () => {
  function market(): TestGraph {
    const graph = graphOf();
    graph.put(user(1), [0, 0]);
    for (let i = 1; i <= 100; i++) graph.put(ad(i), [i, 0]);
    graph.relate('clicks', [0, 0], { rhs: 'ad' });
    return graph;
  }

  it('have so many of each advertiser at most, and are as many as asked for', async () => {
    const graph = market();
    // The nearest 80 are of one advertiser, the next ten of another, and of ten nobody is known.
    graph.edges(advertiser('big'), 'promotes', many(ad, 80, 1));
    graph.edges(advertiser('small'), 'promotes', many(ad, 10, 81));
    const ads = (k: number, count: number) => {
      const surface = { name: 'ads', from: ['user'], to: 'ad', atMost: { count, by: 'promotes' } };
      return listed(surfacesOf(graph, { surfaces: [surface] }), { surface: 'ads', k });
    };
    expect(await ads(5, 2)).toEqual([1, 2, 81, 82, 91].map(ad));
    expect(await ads(3, 1)).toEqual([1, 81, 91].map(ad));
    // All that the limit allows.
    expect(await ads(50, 2)).toHaveLength(14);
    graph.edges(user(1), 'clicks', [ad(1), ad(81)]);
    expect(await ads(5, 2)).toEqual([2, 3, 82, 83, 91].map(ad));
  });

  it('have none of what somebody promotes who is blocked, in either direction', async () => {
    const relations = [...RELATIONS, { name: 'writes', lhs: 'user', rhs: 'tweet' }];
    const graph = graphOf({ relations, activity: activityOf({ relations, sourcesOf: ['writes'] }) });
    graph.put(user(1), [0, 0]);
    graph.relate('likes', [0, 0]);
    for (let i = 1; i <= 9; i++) graph.put(tweet(i), [i, 0]);
    // User 2 wrote tweets 1 to 3, user 3 wrote 4 to 6, and of the others nobody is known.
    graph.edges(user(2), 'writes', [1, 2, 3].map(tweet));
    graph.edges(user(3), 'writes', [4, 5, 6].map(tweet));
    const home = { name: 'home', from: ['user'], to: 'tweet', relations: ['likes'] };
    const surfaces = surfacesOf(graph, {
      surfaces: [{ ...home, leaveOut: ['likes'], atMost: { count: 9, by: 'writes' } }],
    });
    const ask = () => listed(surfaces, { surface: 'home', k: 5 });
    expect(await ask()).toEqual([1, 2, 3, 4, 5].map(tweet));
    graph.activity.take({ ...edge(user(1), 'follows', user(2), T0, true), blocked: true });
    expect(await ask()).toEqual([4, 5, 6, 7, 8].map(tweet));
    graph.activity.take({ ...edge(user(3), 'follows', user(1), T0, true), blocked: true });
    expect(await ask()).toEqual([7, 8, 9].map(tweet));
  });

  it('are those of the whole list, ad by ad, also where the list can not be full', () => {
    const random = Random.seeded(3);
    const graph = graphOf();
    const count = 3_000;
    const vector = () => [random.below(40), random.below(40)];
    for (let i = 0; i < count; i++) graph.put(ad(i), vector());
    // Of every eighth ad nobody knows the advertiser; advertiser 0 has more than all others.
    const own = Map.groupBy(
      Array.from({ length: count }, (_, i) => i).filter((i) => i % 8 > 0),
      (i) => (i % 3 ? 0 : i % 30),
    );
    for (const [by, ads] of own) graph.edges(advertiser(by), 'promotes', ads.map(ad));
    const table = graph.spaces.current!.table('ad')!;
    const scored = {
      table: table.scan,
      scorer: 'transe-l2',
      beta: 1,
      nameOf: (row: number) => table.nameOf(row),
    } as const;
    const both = [0.7, 0.3].map((weight) => ({ weight, vector: Float64Array.from(vector()) }));
    const leftOut = [5, 6, 7];
    const marked = rowMarks(count);
    const all = (known: boolean, queries = both) => {
      const { accepts } = groupLimiter(graph, { count: 2, by: 'promotes', blocked: [] });
      return answerOf(weightedTop(scored, queries, leftOut, count, marked)).filter(
        ({ row }) =>
          (known || graph.activity.sourceOf(table.nameOf(row), 'promotes')) && accepts(table.nameOf(row)),
      );
    };
    const listOf = (k: number, ofOne?: number, queries = both) => {
      const depths: number[] = [];
      const atMost = ofOne === undefined ? undefined : { count: ofOne, by: 'promotes', blocked: [] };
      const found = answerOf(
        acceptedTop(graph, table, marked, k, atMost, (length, marks) =>
          weightedTop(scored, queries, leftOut, length, marks),
        ),
        (look) => void depths.push(look.depth),
      );
      return { rows: found.map(({ row, score }) => [row, score]), deepest: Math.max(...depths) };
    };
    const rows = (of: readonly WeightedRow[]) => of.map(({ row, score }) => [row, score]);
    for (const k of [1, 9, 60, 500]) expect(listOf(k, 2).rows).toEqual(rows(all(true).slice(0, k)));
    expect(listOf(40).rows).toEqual(rows(answerOf(weightedTop(scored, both, leftOut, 40, marked))));
    // Only those are left whose advertiser is known.
    for (let i = 0; i < count; i += 8) marked[i] = 1;
    expect(listOf(500, 2).rows).toEqual(rows(all(false)));
    const one = both.slice(0, 1);
    const short = listOf(21, 2, one);
    expect(short.rows).toEqual(rows(all(false, one)));
    expect(short.rows).toHaveLength(20);
    // Asking for longer lists again and again would look at all rows at last.
    expect(short.deepest).toBeLessThan(count / 2);
    expect(marked.reduce((sum, mark) => sum + mark, 0)).toBe(count / 8);
  });
});

describe('similar', () => {
  it('has the nearest entities of the same type, by the scorer', async () => {
    const graph = line(4);
    graph.put(user(2), [2, 1]);
    expect(await surfacesOf(graph).similar({ entity: tweet(2), k: 2 })).toEqual({
      items: [
        { entity: tweet(1), score: -1 },
        { entity: tweet(3), score: -1 },
      ],
      ...{ graph: 'g', space: 'a', step: 1, asOf: T0, staleSince: null, fallback: null },
      filtered: { excluded: 0, erased: 0 },
    });
    expect((await surfacesOf(graph).similar({ entity: user(2), k: 9 }))?.items).toEqual([
      { entity: user(1), score: -5 },
    ]);
  });

  it('says what each shares with the entity, if asked to and if something is known', async () => {
    const graph = graphOf();
    for (const i of [1, 2, 3]) graph.put(user(i), [i, 0]);
    graph.relate('likes', [0, 0]);
    for (const i of [1, 2]) graph.edges(user(i), 'likes', [tweet(7)]);
    const surfaces = surfacesOf(graph);
    const plain = await surfaces.similar({ entity: user(2), k: 9 });
    expect(plain?.items.map((item) => Object.keys(item))).toEqual(Array(2).fill(['entity', 'score']));
    expect((await surfaces.similar({ entity: user(2), k: 9, explain: true }))?.items).toEqual([
      { entity: user(1), score: -1, reason: { shared: [tweet(7)], count: 1, of: 1 } },
      { entity: user(3), score: -1 },
    ]);
  });

  it('knows nothing of what has no vector, or has it no more', async () => {
    const graph = line(4);
    graph.put(tweet(2), null);
    for (const entity of [tweet(2), tweet(99), ad(1)])
      expect(await surfacesOf(graph).similar({ entity, k: 3 })).toBeUndefined();
    await expect(surfacesOf(graph).similar({ entity: parseEntityKey('foo:1'), k: 3 })).rejects.toMatchObject({
      ...{ name: 'UsageError', field: 'entity' },
      message: 'entity: expected TYPE:ID of user, tweet, ad, advertiser, query, seen "foo:1"',
    });
    expect((await surfacesOf(graph).similar({ entity: tweet(1), k: 9 }))?.items).toHaveLength(2);
    expect(await surfacesOf(graphOf()).similar({ entity: tweet(1), k: 9 })).toBeUndefined();
  });

  it('asks the graph that has the entity, or the one that is named', async () => {
    const [first, second] = [graphOf({ name: 'first' }), graphOf({ name: 'second' })];
    for (const [graph, x] of [
      [first, 1],
      [second, 2],
    ] as const) {
      graph.relate('likes', [0, 0]);
      graph.put(user(1), [0, 0]);
      graph.put(user(2), [x, 0]);
    }
    second.put(user(3), [9, 9]);
    const surfaces = new Surfaces({ graphs: [first, second], surfaces: SURFACES, passes: passes() });
    expect(await surfaces.similar({ entity: user(1), k: 1 })).toMatchObject({
      graph: 'first',
      items: [{ score: -1 }],
    });
    expect(await surfaces.similar({ entity: user(1), k: 1, graph: 'second' })).toMatchObject({
      graph: 'second',
      items: [{ score: -4 }],
    });
    expect(await surfaces.similar({ entity: user(3), k: 1 })).toMatchObject({ graph: 'second' });
    expect(await surfaces.similar({ entity: user(3), k: 1, graph: 'first' })).toBeUndefined();
    await expect(surfaces.similar({ entity: user(1), k: 1, graph: 'third' })).rejects.toEqual(
      expect.objectContaining({ field: 'graph', message: expect.stringMatching(/first, second.*"third"/) }),
    );
  });
});

describe('rank', () => {
  it('names candidates without a vector, and refuses those of another type', () => {
    const graph = line(3);
    const asked = [tweet(3), tweet(99), tweet(1), tweet(2)];
    expect(surfacesOf(graph).rank({ from: user(1), relation: 'likes', candidates: asked })).toEqual({
      items: [
        { entity: tweet(1), score: -1 },
        { entity: tweet(2), score: -4 },
        { entity: tweet(3), score: -9 },
      ],
      missing: [tweet(99)],
      ...{ graph: 'g', space: 'a', step: 1, asOf: T0, staleSince: null, fallback: null },
    });
    expect(() =>
      surfacesOf(graph).rank({ from: user(1), relation: 'likes', candidates: [...asked, user(1)] }),
    ).toThrow(
      expect.objectContaining({
        ...{ name: 'UsageError', field: 'candidates.4' },
        message: 'candidates.4: expected tweet:ID, seen "user:1"',
      }),
    );
  });

  it('does not know a user without a vector, nor a relation that is not trained', () => {
    const graph = line(3);
    graph.relate('retweets', [0, 0], { trained: false });
    const surfaces = surfacesOf(graph);
    expect(surfaces.rank({ from: user(9), relation: 'likes', candidates: [tweet(1)] })).toBeUndefined();
    expect(surfaces.rank({ from: user(1), relation: 'retweets', candidates: [tweet(1)] })).toBeUndefined();
    expect(surfaces.rank({ from: user(1), relation: 'clicks', candidates: [ad(1)] })).toBeUndefined();
  });
});

describe('surfaces', () => {
  it('are answered by graphs that are read while others are not', async () => {
    let reasons = ['follow: 3 % of the vectors are read'];
    const follow = graphOf({ name: 'follow', unready: () => reasons });
    const other = graphOf({ name: 'other', relations: RELATIONS.filter(({ name }) => name === 'likes') });
    other.put(user(1), [0, 0]);
    other.put(tweet(1), [1, 0]);
    other.relate('likes', [0, 0]);
    const surfaces = new Surfaces({ graphs: [other, follow], surfaces: SURFACES, passes: passes() });
    const unread = expect.objectContaining({ code: 'not-read', message: `not ready: ${reasons}` });
    const home = { surface: 'home', from: user(1), k: 1 } as const;
    expect(await surfaces.candidates(home)).toMatchObject({ graph: 'other', items: [{ entity: tweet(1) }] });
    await expect(surfaces.candidates({ ...home, surface: 'who-to-follow' })).rejects.toEqual(unread);
    expect(await surfaces.similar({ entity: user(1), k: 1 })).toMatchObject({ graph: 'other' });
    // It may have a vector in the graph that is not read.
    await expect(surfaces.similar({ entity: user(2), k: 1 })).rejects.toEqual(unread);
    expect(surfaces.rank({ from: user(1), relation: 'likes', candidates: [tweet(1)] })?.items).toHaveLength(
      1,
    );
    expect(() => surfaces.rank({ from: user(1), relation: 'follows', candidates: [user(2)] })).toThrow(
      unread,
    );
    const entities = new Entities({ graphs: [follow, other], random: () => 0 });
    expect(entities.random('tweet')).toBe(tweet(1));
    reasons = [];
    expect(await surfaces.similar({ entity: user(2), k: 1 })).toBeUndefined();
    expect((await surfaces.candidates({ ...home, surface: 'who-to-follow' })).fallback).toBe('popular');
  });
});
