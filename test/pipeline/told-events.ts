import fc from 'fast-check';
import type { Told } from './sequential-model.ts';

const id = fc.constantFrom('a', 'b', 'c');
const at = fc.integer({ min: 1, max: 6 }).map((second) => second * 1000);

/** An event, and the record that says it. */
export interface Sent {
  readonly told: Told;
  readonly topic: string;
  readonly value: object;
}

const follow = fc.tuple(id, id, at, fc.constantFrom('follow', 'unfollow', 'block')).map(
  ([followerId, followedId, time, action]): Sent => ({
    told: {
      kind: 'edge',
      edges: [[`user:${followerId}`, 'follows', `user:${followedId}`]],
      at: time,
      removed: action !== 'follow',
    },
    topic: 'twhin.follow',
    value: { followerId, followedId, action, at: time },
  }),
);
const like = fc.tuple(id, id, at, fc.constantFrom('like', 'unlike')).map(
  ([userId, tweetId, time, action]): Sent => ({
    told: {
      kind: 'edge',
      edges: [[`user:${userId}`, 'likes', `tweet:${tweetId}`]],
      at: time,
      removed: action !== 'like',
    },
    topic: 'twhin.engagement',
    value: { userId, tweetId, action, at: time },
  }),
);
const click = fc.tuple(id, id, at).map(
  ([userId, adId, time]): Sent => ({
    told: {
      kind: 'edge',
      edges: [
        [`user:${userId}`, 'clicks', `ad:${adId}`],
        ['advertiser:z', 'promotes', `ad:${adId}`],
      ],
      at: time,
      removed: false,
    },
    topic: 'twhin.ad-click',
    value: { userId, adId, advertiserId: 'z', at: time },
  }),
);
const erasure = fc.tuple(fc.constantFrom('user', 'user', 'tweet', 'ad'), id, at).map(
  ([type, each, time]): Sent => ({
    told: { kind: 'erase', entity: `${type}:${each}`, at: time },
    topic: 'twhin.erasure',
    value: { entity: `${type}:${each}`, at: time },
  }),
);
/** Follows, likes, clicks and erasures among few entities, and what takes them back: they meet. */
export const sent: fc.Arbitrary<Sent> = fc.oneof(
  { arbitrary: follow, weight: 4 },
  { arbitrary: like, weight: 3 },
  click,
  { arbitrary: erasure, weight: 2 },
);

/** One of three partitions, any of them: what is said of an edge may be in several. */
export const partition: fc.Arbitrary<number> = fc.nat(2);
