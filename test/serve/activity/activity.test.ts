import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { GraphChange } from '../../../src/graph/edge.ts';
import type { EntityKey } from '../../../src/graph/entity.ts';
import { Random } from '../../../src/sampling/random.ts';
import type { Activity } from '../../../src/serve/activity/activity.ts';
import {
  activityOf,
  ad,
  advertiser,
  block,
  edge,
  liveTargets,
  query,
  T0,
  tweet,
  unblock,
  user,
} from '../serve-fixture.ts';
import { PlainActivity } from './plain-activity.ts';

const HOUR = 3_600_000;
const USERS = [user(1), user(2), user(3)];
const TARGETS: Readonly<Record<string, readonly EntityKey[]>> = {
  likes: [tweet(1), tweet(2), tweet(3)],
  retweets: [tweet(1), tweet(2), tweet(3)],
  follows: USERS,
};
const RELATIONS = Object.keys(TARGETS);

const edgeEvent = fc
  .record({
    lhs: fc.constantFrom(...USERS),
    relation: fc.constantFrom(...RELATIONS),
    target: fc.nat(2),
    at: fc.integer({ min: 1, max: 12 }).map((at) => T0 + at),
    action: fc.constantFrom('add', 'add', 'remove', 'block', 'unblock'),
  })
  .map(({ lhs, relation, target, at, action }): GraphChange => {
    const rhs = TARGETS[relation]![target]!;
    if (relation === 'follows' && action === 'block') return block(lhs, rhs, at);
    if (relation === 'follows' && action === 'unblock') return unblock(lhs, rhs, at);
    return edge(lhs, relation, rhs, at, action !== 'add');
  });
const erasureEvent = fc
  .record({ erased: fc.constantFrom(...USERS, tweet(1)), at: fc.integer({ min: 1, max: 12 }) })
  .map(({ erased, at }): GraphChange => ({ erased, at: T0 + at }));
const events = fc.array(
  fc.oneof({ weight: 8, arbitrary: edgeEvent }, { weight: 1, arbitrary: erasureEvent }),
  { maxLength: 60, size: 'max' },
);
function taken(all: readonly GraphChange[], activity = activityOf()): Activity {
  for (const change of all) activity.take(change);
  return activity;
}

function popular(activity: Activity, type = 'tweet'): EntityKey[] {
  return Array.from(activity.popular(type), ({ entity }) => entity);
}

describe('Activity', () => {
  it('answers as arrays of everything do, within bounds', () => {
    // There are four entities that can be erased: all erasures are remembered.
    const bounds = fc.record({
      edgesOfOne: fc.oneof(fc.integer({ min: 1, max: 5 }), fc.constant(99)),
      edges: fc.oneof(fc.integer({ min: 4, max: 12 }), fc.constant(999)),
    });
    fc.assert(
      fc.property(events, bounds, (all, { edgesOfOne, edges }) => {
        const activity = activityOf({ edgesOfOne, edges });
        const plain = new PlainActivity({ edgesOfOne, edges });
        for (const change of all) {
          activity.take(change);
          plain.take(change);
          expect([activity.edges, activity.forgotten]).toEqual([plain.edges, plain.forgotten]);
          expect(activity.edges).toBeLessThanOrEqual(edges);
          for (const user of USERS) {
            expect(activity.recent(user, 99)).toEqual(plain.recent(user));
            for (const relations of [...RELATIONS.map((each) => [each]), RELATIONS]) {
              const seen = activity.seen(user, relations);
              expect(seen).toEqual(plain.seen(user, relations));
              expect(seen.targets.length).toBeLessThanOrEqual(edgesOfOne);
            }
            for (const relation of RELATIONS)
              expect(activity.liveOf(user, relation)).toBe(plain.liveOf(user, relation));
            expect(new Set(activity.blocked(user, 'user'))).toEqual(plain.blocked(user, 'user'));
            expect(activity.blocked(user, 'tweet')).toEqual([]);
          }
          for (const relation of RELATIONS)
            expect(activity.liveOfAll(relation)).toBe(plain.liveOfAll(relation));
        }
      }),
      { numRuns: 300 },
    );
  });

  it('tells milliseconds apart up to the year 2527', () => {
    const last = 2 ** 44 - 1;
    for (const at of [1, last - 1]) {
      const like = edge(user(1), 'likes', tweet(1), at);
      const activity = taken([{ ...like, at: at + 1, removed: true }, like]);
      expect(activity.recent(user(1), 1)).toMatchObject([{ at: at + 1, removed: true }]);
    }
    const later = taken([edge(user(1), 'likes', tweet(1), 2 ** 50)]);
    expect(later.recent(user(1), 1)).toMatchObject([{ at: last }]);
  });

  it('remembers no relation that the graph does not have', () => {
    const activity = activityOf();
    activity.take(edge(user(1), 'buys', tweet(1)));
    expect([activity.edges, activity.entities, activity.recent(user(1), 9)]).toEqual([0, 0, []]);
  });

  it('holds no entity that nothing is remembered of', () => {
    const activity = activityOf({ edges: 6 });
    for (let i = 0; i < 1_000; i++) activity.take(edge(user(i), 'likes', tweet(i), T0 + i));
    // Six edges lead from six users to six tweets, and six tweets are popular, which may be others.
    expect(activity.entities).toBeLessThanOrEqual(18);
  });

  it('hides vectors from before an erasure, whatever the order of reading', () => {
    // Only removals that were read after the erasure could be told from additions.
    const added = events.map((all) => all.filter((change) => !('removed' in change && change.removed)));
    const property = fc.property(added, fc.nat(), (changes, seed) => {
      const random = Random.seeded(seed);
      const shuffled = changes
        .map((change) => ({ change, place: random.next() }))
        .sort((a, b) => a.place - b.place)
        .map(({ change }) => change);
      const erasedAt = (entity: EntityKey) =>
        Math.max(
          -1,
          ...changes.flatMap((each) => ('erased' in each && each.erased === entity ? each.at : [])),
        );
      for (const entity of [...USERS, tweet(1)]) {
        const naming = changes.flatMap((each) => {
          if ('erased' in each || (each.lhs !== entity && each.rhs !== entity)) return [];
          return each.at > erasedAt(entity) ? [each] : [];
        });
        const isBack = naming.some(({ at, lhs, rhs }) => at > Math.max(erasedAt(lhs), erasedAt(rhs)));
        // An edge to an entity that is erased, too, brings this one back where it is read before that erasure: so it is in the updater.
        if (naming.length > 0 && !isBack) continue;
        for (let at = T0; at < T0 + 14; at++) {
          const hidden = erasedAt(entity) > 0 && (at <= erasedAt(entity) || !isBack);
          expect([entity, at, taken(shuffled).hidesVector(entity, at)]).toEqual([entity, at, hidden]);
        }
      }
    });
    fc.assert(property, { numRuns: 100 });
  });

  it('says once that an erasure changed, and once that the entity is back', () => {
    const told: EntityKey[] = [];
    const activity = activityOf({ erasureChanged: (entity) => void told.push(entity) });
    activity.take(edge(user(1), 'likes', tweet(1)));
    activity.take({ erased: tweet(1), at: T0 + 5 });
    activity.take({ erased: tweet(1), at: T0 + 5 });
    expect(told.splice(0)).toEqual([tweet(1)]);
    activity.take(edge(user(1), 'likes', tweet(1), T0 + 5));
    activity.take(edge(user(1), 'likes', tweet(1), T0 + 6, true));
    expect(told).toEqual([]);
    activity.take(edge(user(1), 'likes', tweet(1), T0 + 7));
    activity.take(edge(user(2), 'likes', tweet(1), T0 + 8));
    expect(told).toEqual([tweet(1)]);
  });

  it('remembers no more erasures than edges', () => {
    const activity = activityOf({ edges: 2 });
    for (const i of [1, 2, 3]) activity.take({ erased: user(i), at: T0 + 5 });
    for (const i of [1, 2, 3]) activity.take(edge(user(i), 'likes', tweet(i), T0));
    expect(USERS.map((each) => liveTargets(activity, each, 'likes'))).toEqual([[tweet(1)], [], []]);
  });

  it('knows the newest source of a target', () => {
    const activity = activityOf();
    const sourceOf = () => activity.sourceOf(ad(1), 'promotes');
    activity.take(edge(advertiser('a'), 'promotes', ad(1), T0 + 5));
    expect([sourceOf(), activity.sourceOf(ad(2), 'promotes'), activity.sourceOf(ad(1), 'likes')]).toEqual([
      ...[advertiser('a'), undefined, undefined],
    ]);
    // Older, although it comes later; and the end of an edge that was not the newest.
    activity.take(edge(advertiser('b'), 'promotes', ad(1), T0 + 3));
    expect(sourceOf()).toBe(advertiser('a'));
    activity.take(edge(advertiser('b'), 'promotes', ad(1), T0 + 6, true));
    expect(sourceOf()).toBe(advertiser('a'));
    activity.take(edge(advertiser('c'), 'promotes', ad(1), T0 + 7));
    expect(sourceOf()).toBe(advertiser('c'));
    // The one before it is still live.
    activity.take(edge(advertiser('c'), 'promotes', ad(1), T0 + 8, true));
    expect(sourceOf()).toBe(advertiser('a'));
    activity.take(edge(advertiser('a'), 'promotes', ad(1), T0 + 8, true));
    expect(sourceOf()).toBeUndefined();
    activity.take(edge(advertiser('d'), 'promotes', ad(1), T0 + 9));
    activity.take({ erased: advertiser('d'), at: T0 + 9 });
    expect(sourceOf()).toBeUndefined();
    const small = activityOf({ edges: 2 });
    for (const [at, i] of [1, 2, 1, 3].entries())
      small.take(edge(advertiser(`a${i}`), 'promotes', ad(i), T0 + at));
    for (const i of [1, 3]) expect(small.sourceOf(ad(i), 'promotes')).toBe(advertiser(`a${i}`));
    expect(small.sourceOf(ad(2), 'promotes')).toBeUndefined();
  });
});

describe('the newest sources of a target', () => {
  const searchers = (activity: Activity, text = 'jazz') => activity.recentSourcesOf(query(text), 'searches');
  const search = (activity: Activity, by: number, at: number, text = 'jazz', removed = false) =>
    activity.take(edge(user(by), 'searches', query(text), T0 + at, removed));

  it('are those of live edges, without who was erased, the newest last', () => {
    const activity = activityOf();
    for (const [at, by] of [1, 2, 3, 1, 4].entries()) search(activity, by, at);
    expect(searchers(activity)).toEqual([2, 3, 1, 4].map(user));
    search(activity, 3, 9, 'jazz', true);
    activity.take({ erased: user(2), at: T0 + 1 });
    expect(searchers(activity)).toEqual([user(1), user(4)]);
    search(activity, 2, 10);
    expect(searchers(activity)).toEqual([user(1), user(4), user(2)]);
    activity.take({ erased: query('jazz'), at: T0 + 5 });
    expect(searchers(activity)).toEqual([user(2)]);
    expect(activity.recentSourcesOf(tweet(1), 'likes')).toEqual([]);
  });

  it('are a hundred at most, of targets that were heard of late', () => {
    const activity = activityOf();
    for (let by = 0; by < 150; by++) search(activity, by, by);
    expect(searchers(activity)).toEqual(Array.from({ length: 100 }, (_, i) => user(50 + i)));
    const small = activityOf({ edges: 3 });
    search(small, 1, 1, 'jazz');
    search(small, 1, 2, 'chess');
    search(small, 2, 3, 'jazz');
    search(small, 3, 4, 'opera');
    expect(['jazz', 'chess', 'opera'].map((text) => searchers(small, text))).toEqual([
      ...[[user(1), user(2)], [], [user(3)]],
    ]);
  });
});

describe('what is popular', () => {
  it('weighs an event ahead of its record as of the record, and takes that back again', () => {
    const activity = activityOf();
    const like = (by: number, target: number, hours: number) =>
      edge(user(by), 'likes', tweet(target), T0 + hours * HOUR);
    activity.take(like(1, 1, 24), T0);
    activity.take(like(2, 1, 0), T0);
    // Two likes of now, against one that is younger by three quarters of a day: 2 against 2^(3/4) = 1.68.
    activity.take(like(1, 2, 18), T0 + 18 * HOUR);
    expect(popular(activity)).toEqual([tweet(1), tweet(2)]);
    // One of them is taken back: the other one is left, as of now.
    activity.take({ ...like(1, 1, 25), removed: true }, T0 + HOUR);
    activity.take(like(1, 3, -1), T0);
    activity.take(like(1, 4, 1), T0 + HOUR);
    expect(popular(activity)).toEqual([tweet(2), tweet(4), tweet(1), tweet(3)]);
  });

  it('is counted again after an erasure', () => {
    const activity = activityOf();
    activity.take(edge(user(1), 'likes', tweet(1), T0));
    activity.take({ erased: tweet(1), at: T0 + 5 });
    expect(popular(activity)).toEqual([]);
    // Two likes against one that is a little younger: the like from before counts no more, and is not taken away again.
    for (const by of [2, 1]) activity.take(edge(user(by), 'likes', tweet(1), T0 + 6));
    activity.take(edge(user(1), 'likes', tweet(2), T0 + 60_000));
    expect(popular(activity)).toEqual([tweet(1), tweet(2)]);
  });

  it('is as the sums over all live edges, in any order of arrival', () => {
    const likes = fc.array(
      fc.record({
        by: fc.nat(9),
        target: fc.nat(4),
        // Odd steps: sums of different edges are hardly ever equal.
        at: fc.integer({ min: 0, max: 200 }).map((step) => step * 4_932_000),
        removed: fc.boolean(),
      }),
      { maxLength: 60, size: 'max' },
    );
    fc.assert(
      fc.property(likes, (all) => {
        const activity = activityOf();
        const newest = new Map<string, (typeof all)[number]>();
        for (const like of all) {
          activity.take(edge(user(like.by), 'likes', tweet(like.target), T0 + like.at, like.removed));
          const name = `${like.by} ${like.target}`;
          const known = newest.get(name);
          if (known && (known.at > like.at || (known.at === like.at && !like.removed))) continue;
          newest.set(name, like);
        }
        const sums = new Map<EntityKey, number>();
        for (const { target, at, removed } of newest.values()) {
          const weight = 2 ** ((at - 300 * HOUR) / (24 * HOUR));
          if (!removed) sums.set(tweet(target), (sums.get(tweet(target)) ?? 0) + weight);
        }
        const found = popular(activity);
        expect(found.toSorted()).toEqual([...sums.keys()].sort());
        // Sums that differ by less than rounding can stand in any order.
        for (const [i, entity] of found.slice(1).entries())
          expect(sums.get(found[i]!)! * (1 + 1e-9)).toBeGreaterThanOrEqual(sums.get(entity)!);
      }),
      { numRuns: 500 },
    );
  });

  it('is as a sort of all, as far as it goes, where scores are equal and entities come and go', () => {
    let now = T0;
    const activity = activityOf({ clock: () => now, edges: 100_000 });
    const random = Random.seeded(8);
    const hours = new Map<EntityKey, number>();
    // One user likes each tweet, at one of a few times: many scores are equal, also where a selection ends.
    const like = (target: number, at: number, removed = false) => {
      activity.take(edge(user(target % 30), 'likes', tweet(target), T0 + at * HOUR, removed));
      if (removed) hours.delete(tweet(target));
      else hours.set(tweet(target), at);
    };
    for (let i = 0; i < 20_000; i++) like(i, random.below(5));
    for (let round = 1; round <= 3; round++) {
      const sorted = [...hours]
        .sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1))
        .map(([entity]) => entity);
      // At first less is asked for than a selection has.
      for (const { entity } of activity.popular('tweet')) {
        expect(entity).toBe(sorted[0]);
        break;
      }
      expect(popular(activity)).toEqual(sorted.slice(0, 16_384));
      for (let i = 0; i < 1_000; i++) like(7 * i + round, 5 * round, i % 2 === 0);
      // Of the same second.
      expect(popular(activity)).toEqual(sorted.slice(0, 16_384));
      now += 1_000;
    }
    // A clock that was put back does not stop the list.
    now -= HOUR;
    like(1, 99);
    expect(popular(activity)[0]).toBe(tweet(1));
  });

  it('is bounded: those least popular are dropped, of the type that has most', () => {
    const activity = activityOf({ edges: 200, edgesOfOne: 10 });
    const like = (by: number, target: number, hours: number) =>
      activity.take(edge(user(by), 'likes', tweet(target), T0 + hours * HOUR));
    for (let by = 0; by < 30; by++) activity.take(edge(user(by), 'follows', user(by % 3), T0));
    for (let i = 0; i < 5_000; i++) like(i % 30, i, i / 10);
    // Liked by 30 in the end, though the first like is of long ago: a tweet that is much liked stays.
    for (let by = 0; by < 30; by++) like(by, 77, 500);
    for (let i = 5_000; i < 10_000; i++) like(i % 30, i, 500);
    const tweets = popular(activity);
    expect([tweets.length, popular(activity, 'user').toSorted()]).toEqual([197, [user(0), user(1), user(2)]]);
    expect(tweets[0]).toBe(tweet(77));
    // Nothing that is younger was dropped for what is older.
    expect(
      tweets.slice(0, 63).every((entity) => entity === tweet(77) || Number(entity.slice(6)) >= 5_000),
    ).toBe(true);
  });

  it('names nobody twice, where sums change between its selections', () => {
    const activity = activityOf({ edges: 100_000, clock: () => T0 });
    for (let i = 0; i < 9_000; i++) activity.take(edge(user(i), 'likes', tweet(i), T0 + i));
    const first: EntityKey[] = [];
    for (const { entity } of activity.popular('tweet')) if (first.push(entity) === 10) break;
    expect(first).toEqual(Array.from({ length: 10 }, (_, i) => tweet(8_999 - i)));
    // What was first is last now, and would be found again.
    activity.take(edge(user(0), 'likes', tweet(8_999), T0 - HOUR));
    activity.take(edge(user(8_999), 'likes', tweet(8_999), T0 + 9_000, true));
    const all = popular(activity);
    expect(all.slice(0, 10)).toEqual(first);
    expect([all.length, new Set(all).size]).toEqual([9_000, 9_000]);
  });
});
