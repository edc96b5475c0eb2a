import { randomUUID } from 'node:crypto';
import { Kafka, logLevel } from 'kafkajs';

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

const READ_MS = 60_000;

export function client(brokers: string): Kafka {
  return new Kafka({ brokers: brokers.split(','), clientId: 'apart', logLevel: logLevel.NOTHING });
}

/** Every record of a topic, in order within its partition, from the start up to where it ends now. */
export async function readTopic(brokers: string, topic: string): Promise<TopicRecord[]> {
  const kafka = client(brokers);
  const ends = await endsOf(brokers, topic);
  const records: TopicRecord[] = [];
  const open = new Map([...ends].filter(([, end]) => end > 0));
  if (open.size === 0) return records;
  const consumer = kafka.consumer({ groupId: `apart-${randomUUID()}`, maxWaitTimeInMs: 100 });
  const done = Promise.withResolvers<void>();
  const timer = setTimeout(
    () => done.reject(new Error(`${topic}: ${records.length} records read, ${[...open]} still to come`)),
    READ_MS,
  );
  consumer.on('consumer.crash', ({ payload }) => done.reject(payload.error));
  // By batches, since markers of transactions, which are no records, may stand at the end.
  consumer.on('consumer.end_batch_process', ({ payload: { partition, lastOffset } }) => {
    if (Number(lastOffset) + 1 >= (ends.get(partition) ?? 0)) open.delete(partition);
    if (open.size === 0) done.resolve();
  });
  try {
    await consumer.connect();
    await consumer.subscribe({ topics: [topic], fromBeginning: true });
    await consumer.run({
      eachMessage: async ({ partition, message }) => {
        const offset = Number(message.offset);
        if (offset >= (ends.get(partition) ?? 0)) return;
        const headers = Object.entries(message.headers ?? {}).map(([name, value]) => [name, String(value)]);
        records.push({
          ...{ topic, partition, offset, key: message.key && String(message.key), value: message.value },
          headers: Object.fromEntries(headers),
        });
      },
    });
    await done.promise;
  } finally {
    clearTimeout(timer);
    await consumer.disconnect();
  }
  return records;
}

/** The last record of each key: what a compacted topic means. */
export function fold(records: readonly TopicRecord[]): Map<string, TopicRecord> {
  return new Map(records.map((record) => [String(record.key), record]));
}

/** Offset after the last record, by partition. */
export async function endsOf(brokers: string, topic: string): Promise<Map<number, number>> {
  return withAdmin(brokers, async (admin) => {
    const offsets = await admin.fetchTopicOffsets(topic);
    return new Map(offsets.map(({ partition, high }) => [partition, Number(high)]));
  });
}

/** Records of the topics that the group has not yet committed. */
export async function lagOf(brokers: string, groupId: string, topics: readonly string[]): Promise<number> {
  return withAdmin(brokers, async (admin) => {
    let lag = 0;
    const committed = await admin.fetchOffsets({ groupId, topics: [...topics] });
    for (const { topic, partitions } of committed) {
      const ends = await admin.fetchTopicOffsets(topic);
      for (const { partition, high } of ends) {
        const offset = Number(partitions.find((one) => one.partition === partition)?.offset ?? -1);
        lag += Number(high) - Math.max(offset, 0);
      }
    }
    return lag;
  });
}

async function withAdmin<T>(
  brokers: string,
  work: (admin: ReturnType<Kafka['admin']>) => Promise<T>,
): Promise<T> {
  const admin = client(brokers).admin();
  await admin.connect();
  try {
    return await work(admin);
  } finally {
    await admin.disconnect();
  }
}
