import { randomUUID } from 'node:crypto';
import type { Consumer } from 'kafkajs';
import { client, settledEnds } from './topic-ends.ts';

// Apart from ours on purpose: it shares no code with what it checks, so it sees what any consumer would.

/** A record as any consumer gets it; headers as text. */
export interface TopicRecord {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly key: string | null;
  readonly value: Buffer | null;
  readonly headers: Readonly<Record<string, string>>;
}

/** Topics as they stand: every committed record, in order within its partition, and where each partition ends. */
export interface Log {
  readonly records: readonly TopicRecord[];
  /** By topic and partition: the offset after the last record, markers of transactions included. */
  readonly ends: ReadonlyMap<string, ReadonlyMap<number, number>>;
}

const READ_MS = 300_000;
/** Slower than this is no reader. */
const RECORDS_PER_S = 5_000;

/** Every committed record of a topic, in order within its partition, from the start up to where it ends now. */
export async function readTopic(brokers: string, topic: string): Promise<readonly TopicRecord[]> {
  return (await readLog(brokers, [topic])).records;
}

/** Reads topics from their start to where they end now, with read_committed, past the markers of transactions. */
export async function readLog(brokers: string, topics: readonly string[]): Promise<Log> {
  const ends = await settledEnds(brokers, topics);
  const left = new Map<string, number>();
  for (const [topic, partitions] of ends) {
    for (const [partition, end] of partitions) if (end > 0) left.set(`${topic}/${partition}`, end);
  }
  const records: TopicRecord[] = [];
  if (left.size === 0) return { records, ends };
  const consumer = client(brokers).consumer({
    ...{ groupId: `apart-${randomUUID()}`, maxWaitTimeInMs: 100, sessionTimeout: 30_000 },
    readUncommitted: false,
  });
  const done = Promise.withResolvers<void>();
  const most = [...left.values()].reduce((sum, end) => sum + end, 0);
  const timer = setTimeout(
    () => done.reject(new Error(`not read to the end: ${[...left]}`)),
    READ_MS + (most / RECORDS_PER_S) * 1000,
  );
  // A group that its coordinator is still loading, say, is joined again by kafkajs itself.
  consumer.on('consumer.crash', ({ payload }) => {
    if (!payload.restart) done.reject(payload.error);
  });
  // Tells of batches that held nothing but markers and aborted records, too.
  consumer.on('consumer.end_batch_process', ({ payload }) => {
    const place = `${payload.topic}/${payload.partition}`;
    if (Number(payload.lastOffset) + 1 >= (left.get(place) ?? 0)) left.delete(place);
    if (left.size === 0) done.resolve();
  });
  try {
    await consumer.connect();
    await consumer.subscribe({ topics: [...topics], fromBeginning: true });
    await collect(consumer, ends, records);
    await done.promise;
  } finally {
    clearTimeout(timer);
    await consumer.disconnect();
  }
  return { records, ends };
}

async function collect(consumer: Consumer, ends: Log['ends'], records: TopicRecord[]): Promise<void> {
  const next = new Map<string, number>();
  await consumer.run({
    eachBatch: async ({ batch: { topic, partition, messages } }) => {
      const place = `${topic}/${partition}`;
      for (const message of messages) {
        const offset = Number(message.offset);
        // Past where it ended when asked, or handed over again after a rebalance.
        if (offset >= (ends.get(topic)?.get(partition) ?? 0) || offset < (next.get(place) ?? 0)) continue;
        next.set(place, offset + 1);
        const headers = Object.entries(message.headers ?? {}).map(([name, value]) => [name, String(value)]);
        records.push({
          ...{ topic, partition, offset, key: message.key && String(message.key), value: message.value },
          headers: Object.fromEntries(headers),
        });
      }
    },
  });
}

/** The last record of each key: what a compacted topic means. */
export function fold(records: readonly TopicRecord[]): Map<string, TopicRecord> {
  return new Map(records.map((record) => [String(record.key), record]));
}
