import { describe, expect, it } from 'vitest';
import type { RecordRun, SourceRecord } from '../../src/pipeline/ports.ts';
import { ActivityFeed } from '../../src/serve/reading.ts';
import { adClick } from '../../topics/ad-click.ts';
import { engagement } from '../../topics/engagement.ts';
import { erasure } from '../../topics/erasure.ts';
import { follow } from '../../topics/follow.ts';
import { activityOf, ad, advertiser, liveTargets, T0, tweet, user } from './serve-fixture.ts';

const topics = new Map([engagement, follow, erasure, adClick].map((topic) => [`my.${topic.name}`, topic]));
const limits = { valueBytes: 1_000, depth: 8 };

function feedOf(more: typeof topics = topics) {
  const activity = activityOf();
  const feed = new ActivityFeed({ activity, topics: more, limits });
  const take = (topic: string, ...events: unknown[]) => {
    const records = events.map((event, i): SourceRecord => {
      const value = event === null || Buffer.isBuffer(event) ? event : Buffer.from(JSON.stringify(event));
      return { topic, partition: 0, offset: i, timestamp: T0 + 100, key: null, value };
    });
    feed.take({ topic, partition: 0, records, next: records.length });
  };
  return { activity, feed, take };
}
/** A run of one record, which was written as many milliseconds after T0 + 100 as its offset says. */
function runFrom(topic: string, partition: number, offset: number, event: unknown): RecordRun {
  const value = Buffer.from(JSON.stringify(event));
  const record = { topic, partition, offset, timestamp: T0 + 100 + offset, key: null, value };
  return { topic, partition, records: [record], next: offset + 1 };
}
const like = (tweetId: string, action = 'like', at = T0) => ({ userId: '1', tweetId, action, at });
const followed = (action: string, at = T0) => ({ followerId: '1', followedId: '2', action, at });

describe('ActivityFeed', () => {
  it('takes what users did from all topics', () => {
    const { activity, take, feed } = feedOf();
    take('my.engagement', like('1'), like('2'), like('3', 'retweet'), like('2', 'unlike', T0 + 1));
    take('my.follow', followed('follow'));
    take('my.follow', { ...followed('block'), followedId: '3' });
    take('my.ad-click', { userId: 1, adId: 7, advertiserId: 9, at: T0 });
    expect(activity.blocked(user(3), 'user')).toEqual([user(1)]);
    expect(liveTargets(activity, user(1), 'likes')).toEqual([tweet(1)]);
    expect(liveTargets(activity, user(1), 'retweets')).toEqual([tweet(3)]);
    expect(liveTargets(activity, user(1), 'follows')).toEqual([user(2)]);
    expect(liveTargets(activity, user(1), 'clicks')).toEqual([ad(7)]);
    expect(activity.sourceOf(ad(7), 'promotes')).toBe(advertiser(9));
    take('my.erasure', { entity: 'user:1', at: T0 + 2 });
    expect([liveTargets(activity, user(1), 'likes'), activity.edges, feed.rejected]).toEqual([[], 1, 0]);
  });

  it('weighs no edge in what is popular as younger than its record', () => {
    const { activity, take } = feedOf();
    const hours = (count: number) => T0 + count * 3_600_000;
    // A clock 23 h ahead would make one like weigh 2^(23/24) = 1.94, more than two that are 2 h old: 2 · 2^(-2/24) = 1.89.
    take('my.engagement', like('ahead', 'like', hours(23)));
    take('my.engagement', like('twice', 'like', hours(-2)), {
      ...like('twice', 'like', hours(-2)),
      userId: '2',
    });
    expect(Array.from(activity.popular('tweet'), ({ entity }) => entity)).toEqual([
      tweet('twice'),
      tweet('ahead'),
    ]);
    expect(activity.recent(user(1), 1)).toMatchObject([{ at: hours(23) }]);
  });

  it('leaves out a record that can not be used, counts it, and goes on', () => {
    const { activity, take, feed } = feedOf();
    const deep = { ...like('2'), note: [[[[[[[[1]]]]]]]] };
    const large = { ...like('2'), note: 'x'.repeat(1_000) };
    take('my.engagement', like('1'), null, Buffer.from('{"userId":'), deep, large, like('3'));
    expect([feed.rejected, liveTargets(activity, user(1), 'likes')]).toEqual([4, [tweet(1), tweet(3)]]);
  });

  it('tells which entities an event names, and when; not those of an erasure or of what it leaves out', () => {
    const named: unknown[] = [];
    const feed = new ActivityFeed({
      ...{ activity: activityOf(), topics, limits },
      active: (...of) => void named.push(of),
    });
    const events = [like('1'), like('1', 'unlike', T0 + 1), like('2', 'love')];
    for (const [topic, event] of [
      ...events.map((each) => ['my.engagement', each] as const),
      ['my.erasure', { entity: 'user:1', at: T0 + 2 }] as const,
    ])
      feed.take(runFrom(topic, 0, 0, event));
    expect(named).toEqual([
      ...[user(1), tweet(1)].map((entity) => [entity, T0]),
      ...[user(1), tweet(1)].map((entity) => [entity, T0 + 1]),
    ]);
  });

  it('knows from when on it knows all events: where the first ones are gone, from those that are left', () => {
    const feed = new ActivityFeed({ activity: activityOf(), topics, limits });
    feed.take(runFrom('my.engagement', 0, 0, like('1')));
    expect(feed.since).toBe(0);
    feed.take(runFrom('my.engagement', 1, 40, like('1')));
    expect(feed.since).toBe(T0 + 140);
    // What follows in a partition, and a partition that begins earlier.
    feed.take(runFrom('my.engagement', 0, 90, like('1')));
    feed.take(runFrom('my.follow', 0, 7, followed('follow')));
    feed.take(runFrom('my.unknown', 0, 500, followed('follow')));
    expect(feed.since).toBe(T0 + 140);
  });

  it('leaves out a topic that it does not know', () => {
    const { activity, take, feed } = feedOf();
    take('my.unknown', like('1'));
    take('engagement', like('1'));
    expect([activity.edges, feed.rejected]).toEqual([0, 0]);
  });
});
