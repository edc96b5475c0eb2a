import fc from 'fast-check';
import type { Told, ToldEdge } from './sequential-model.ts';

const id = fc.constantFrom('a', 'b', 'c');
const at = fc.integer({ min: 1, max: 6 }).map((second) => second * 1000);

/** An event, and the record that says it. */
export interface Sent {
  readonly told: Told;
  readonly topic: string;
  readonly value: object;
}

/** An event about edges. value: its record. */
function saying(
  topic: string,
  value: { readonly at: number; readonly [field: string]: unknown },
  edges: readonly ToldEdge[],
  removed: boolean,
): Sent {
  return { told: { kind: 'edge', edges, at: value.at, removed }, topic, value };
}

const follow = fc
  .tuple(id, id, at, fc.constantFrom('follow', 'unfollow', 'block'))
  .map(([followerId, followedId, at, action]) => {
    const edge: ToldEdge = [`user:${followerId}`, 'follows', `user:${followedId}`];
    return saying('twhin.follow', { followerId, followedId, action, at }, [edge], action !== 'follow');
  });
const like = fc.tuple(id, id, at, fc.constantFrom('like', 'unlike')).map(([userId, tweetId, at, action]) => {
  const edge: ToldEdge = [`user:${userId}`, 'likes', `tweet:${tweetId}`];
  return saying('twhin.engagement', { userId, tweetId, action, at }, [edge], action !== 'like');
});
const click = fc.tuple(id, id, at).map(([userId, adId, at]) => {
  const edges: ToldEdge[] = [
    [`user:${userId}`, 'clicks', `ad:${adId}`],
    ['advertiser:z', 'promotes', `ad:${adId}`],
  ];
  return saying('twhin.ad-click', { userId, adId, advertiserId: 'z', at }, edges, false);
});
const erasure = fc
  .tuple(fc.constantFrom('user', 'user', 'tweet', 'ad'), id, at)
  .map(([type, each, at]): Sent => {
    const entity = `${type}:${each}`;
    return { told: { kind: 'erase', entity, at }, topic: 'twhin.erasure', value: { entity, at } };
  });
/** Follows, likes, clicks and erasures among few entities, and what takes them back: they meet. */
export const sent: fc.Arbitrary<Sent> = fc.oneof(
  { arbitrary: follow, weight: 4 },
  { arbitrary: like, weight: 3 },
  click,
  { arbitrary: erasure, weight: 2 },
);

/** One of three partitions, any of them: what is said of an edge may be in several. */
export const partition: fc.Arbitrary<number> = fc.nat(2);
