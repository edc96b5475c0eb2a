import fc from 'fast-check';
import type { EventLog, SourceRecord, Stretch } from '../../src/pipeline/ports.ts';
import { readContent } from '../../src/pipeline/reading/record-content.ts';
import { DEFAULT_LIMITS } from '../../topics/record.ts';
import { MemoryLog } from '../pipeline/memory-log.ts';
import { partition, sent } from '../pipeline/told-events.ts';
import { TOPICS } from '../pipeline/updater-fixture.ts';

/** A record before it is appended: what it is of, and when. at: seconds. */
export interface Sent {
  readonly topic: string;
  readonly partition: number;
  readonly at: number;
  readonly value: object | string;
}

const usable = fc.tuple(sent, partition).map(([{ topic, value, told }, part]): Sent => {
  return { topic, partition: part, at: told.at / 1000, value };
});
const broken = fc.tuple(fc.integer({ min: 1, max: 6 }), partition).map(([second, part]): Sent => {
  return { topic: 'twhin.follow', partition: part, at: second, value: 'not JSON' };
});

/** Events and records that can't be used, in topics of up to three partitions. */
export const stream = fc.array(fc.oneof({ arbitrary: usable, weight: 12 }, broken), {
  ...{ minLength: 1, maxLength: 80, size: 'max' },
});

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
