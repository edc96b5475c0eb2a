import { zstdCompressSync } from 'node:zlib';
import { ConnectionPool, createAPI, metadataV12, produceV9, Writer } from '@platformatic/kafka';
import { batchBytes, ZSTD } from '../adapters/kafka/batch-bytes.ts';

/** A batch as other clients may send it: very many records in one batch, compressed with zstd. */
export function zstdBatch(records: readonly { readonly key: string; readonly value: string }[]): Buffer {
  const now = BigInt(Date.now());
  const plain = records.map(({ key, value }, at) => ({
    at,
    key: Buffer.from(key),
    value: Buffer.from(value),
  }));
  const packed = { attributes: ZSTD, pack: zstdCompressSync };
  return batchBytes({ base: 0, records: plain, firstMs: now, maxMs: now, ...packed });
}

/** Appends a batch to partition 0 of a topic, and gives the offset of its first record. */
export async function sendBatch(brokers: string, topic: string, batch: Buffer): Promise<number> {
  const [host = '', port = '0'] = brokers.split(',')[0]?.split(':') ?? [];
  const pool = new ConnectionPool('raw-batch', { requestTimeout: 60_000 });
  try {
    const first = await pool.get({ host, port: Number(port) });
    const { brokers: nodes, topics } = await metadataV12.api.async(first, [topic], false, false);
    const leader = nodes.find(({ nodeId }) => nodeId === topics[0]?.partitions[0]?.leaderId);
    if (leader === undefined) throw new Error(`${topic}/0 has no leader`);
    const answer = await produce.async(await pool.get(leader), topic, batch);
    return Number(answer.responses[0]?.partitionResponses[0]?.baseOffset);
  } finally {
    await pool.close();
  }
}

const produce = createAPI<[string, Buffer], produceV9.ProduceResponse>(
  0,
  9,
  (topic, batch) =>
    Writer.create()
      .appendString(null)
      .appendInt16(-1)
      .appendInt32(60_000)
      .appendArray([topic], (topics, name) =>
        topics
          .appendString(name)
          .appendArray([0], (all, number) => all.appendInt32(number).appendBytes(batch)),
      )
      .appendTaggedFields(),
  produceV9.parseResponse,
);
