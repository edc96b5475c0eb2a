import { CompressionTypes, Partitioners } from 'kafkajs';
import { client } from './topic-ends.ts';

/** A record that goes out as it is, checked by nobody. */
export interface RawRecord {
  readonly topic: string;
  readonly key: string | null;
  readonly value: string | Buffer | null;
  readonly headers: Readonly<Record<string, string>>;
  /** Kafka's own time for it, epoch ms. */
  readonly timestamp: number;
}

const AT_ONCE = 500;

/** Sends records in order, past everything that checks them. */
export async function produceRaw(brokers: string, records: readonly RawRecord[]): Promise<void> {
  const producer = client(brokers).producer({
    idempotent: true,
    createPartitioner: Partitioners.DefaultPartitioner,
  });
  await producer.connect();
  try {
    for (let at = 0; at < records.length; at += AT_ONCE) {
      const byTopic = Map.groupBy(records.slice(at, at + AT_ONCE), ({ topic }) => topic);
      await producer.sendBatch({
        compression: CompressionTypes.GZIP,
        topicMessages: [...byTopic].map(([topic, messages]) => ({
          topic,
          messages: messages.map(({ key, value, headers, timestamp }) => ({
            ...{ key, value, headers: { ...headers }, timestamp: String(timestamp) },
          })),
        })),
      });
    }
  } finally {
    await producer.disconnect();
  }
}
