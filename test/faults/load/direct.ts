import {
  type CompressionTypes,
  type Message,
  Partitioners,
  type Producer,
  type ProducerConfig,
} from 'kafkajs';
import { client } from '../../e2e/topic-ends.ts';
import type { Feeder } from './feeder.ts';
import type { LoadRecord } from './load.ts';

/** How records of a load that a test makes itself go out. */
export interface Way {
  readonly partition?: number;
  readonly compression?: CompressionTypes;
  /** Kafka's own time for them, epoch ms; the time of sending unless said. */
  readonly timestamp?: number;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Records as kafkajs takes them, their numbers in the headers. */
export function messagesOf(
  records: readonly LoadRecord[],
  { partition, timestamp, headers }: Way = {},
): Message[] {
  return records.map(({ n, key, value }) => ({
    ...{ key, value, headers: { ...headers, n: String(n) } },
    ...(partition === undefined ? {} : { partition }),
    ...(timestamp === undefined ? {} : { timestamp: String(timestamp) }),
  }));
}

/**
 * Runs `work` with a producer of its own. A transaction may begin while the markers of the one before are still being
 * written; the broker then asks to come again, more often the more brokers there are.
 */
export async function withProducer<T>(
  brokers: string,
  config: ProducerConfig,
  work: (producer: Producer) => Promise<T>,
): Promise<T> {
  const producer = client(brokers).producer({
    createPartitioner: Partitioners.DefaultPartitioner,
    retry: { retries: 12 },
    ...config,
  });
  await producer.connect();
  try {
    return await work(producer);
  } finally {
    await producer.disconnect();
  }
}

/** Sends records of one topic as said, and has the feeder remember them as its own. */
export async function sendAs(
  feeder: Pick<Feeder, 'remember'>,
  producer: Pick<Producer, 'send'>,
  prefix: string,
  records: readonly LoadRecord[],
  way: Way = {},
): Promise<void> {
  const [first] = records;
  if (first === undefined) return;
  const { compression } = way;
  await producer.send({
    ...{ topic: `${prefix}${first.topic}`, acks: -1, messages: messagesOf(records, way) },
    ...(compression === undefined ? {} : { compression }),
  });
  for (const record of records) feeder.remember(record);
}
