import fc from 'fast-check';
import type { EventLog, SourceRecord, Stretch } from '../../src/pipeline/ports.ts';
import { readContent } from '../../src/pipeline/reading/record-content.ts';
import { DEFAULT_LIMITS } from '../../topics/record.ts';
import { MemoryLog } from '../pipeline/memory-log.ts';
import { TOPICS } from '../pipeline/updater-fixture.ts';

/** A record before it is appended: what it is of, and when. at: seconds. */
export interface Sent {
  readonly topic: string;
  readonly partition: number;
  readonly at: number;
  readonly value: object | string;
}

const id = fc.constantFrom('a', 'b', 'c', 'd', 'e');
const at = fc.integer({ min: 1, max: 9 });
const partition = fc.nat(2);

const follow = fc
  .tuple(id, id, at, partition, fc.constantFrom('follow', 'follow', 'follow', 'unfollow'))
  .map(([followerId, followedId, second, part, action]): Sent => {
    const value = { followerId, followedId, action, at: second * 1000 };
    return { topic: 'twhin.follow', partition: part, at: second, value };
  });
const like = fc.tuple(id, id, at, partition).map(([userId, tweetId, second, part]): Sent => {
  const value = { userId, tweetId, action: 'like', at: second * 1000 };
  return { topic: 'twhin.engagement', partition: part, at: second, value };
});
const erasure = fc.tuple(id, at).map(([each, second]): Sent => {
  const value = { entity: `user:${each}`, at: second * 1000 };
  return { topic: 'twhin.erasure', partition: 0, at: second, value };
});
const broken = fc.tuple(at, partition).map(([second, part]): Sent => {
  return { topic: 'twhin.follow', partition: part, at: second, value: 'not JSON' };
});

/** Follows, likes, erasures and records that can't be used, in three topics of up to three partitions. */
export const stream = fc.array(
  fc.oneof({ arbitrary: follow, weight: 6 }, { arbitrary: like, weight: 4 }, erasure, broken),
  { minLength: 1, maxLength: 80, size: 'max' },
);

/** The log dates each record half a second after its event. */
export function logOf(records: readonly Sent[]): MemoryLog {
  const log = new MemoryLog();
  for (const each of records) {
    const value = typeof each.value === 'string' ? Buffer.from(each.value) : each.value;
    log.append(each.topic, value, { partition: each.partition, timestamp: each.at * 1000 + 500 });
  }
  return log;
}

export function withContent(record: SourceRecord): SourceRecord {
  return { ...record, content: readContent(record, TOPICS, DEFAULT_LIMITS) };
}

/** All of a log, a stretch for each partition. */
export async function wholeOf(reader: EventLog, log: MemoryLog): Promise<Stretch[]> {
  const topics = [...new Set(log.records.map(({ topic }) => topic))].sort();
  return (await reader.ranges(topics)).map(({ topic, partition: part, low, high }) => ({
    topic,
    partition: part,
    from: low,
    until: high,
  }));
}

export function nameOf({ topic, partition: part, offset }: SourceRecord): string {
  return `${topic}/${part}:${offset}`;
}
