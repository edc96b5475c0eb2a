import { zstdCompressSync } from 'node:zlib';
import { ConnectionPool, createAPI, metadataV12, produceV9, Writer } from '@platformatic/kafka';

/** A hand-made record batch, as other clients may send it: very many records in one batch, compressed with zstd. */
export function zstdBatch(records: readonly { readonly key: string; readonly value: string }[]): Buffer {
  const plain = Buffer.concat(records.map(({ key, value }, at) => recordBytes(at, key, value)));
  const packed = zstdCompressSync(plain);
  const head = Buffer.alloc(61);
  head.writeInt32BE(49 + packed.length, 8);
  head.writeInt8(2, 16);
  head.writeUInt16BE(4, 21);
  head.writeInt32BE(records.length - 1, 23);
  head.writeBigInt64BE(BigInt(Date.now()), 27);
  head.writeBigInt64BE(BigInt(Date.now()), 35);
  head.writeBigInt64BE(-1n, 43);
  head.writeInt16BE(-1, 51);
  head.writeInt32BE(-1, 53);
  head.writeInt32BE(records.length, 57);
  const batch = Buffer.concat([head, packed]);
  batch.writeUInt32BE(crc32c(batch.subarray(21)), 17);
  return batch;
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

function recordBytes(at: number, key: string, value: string): Buffer {
  const [keyBytes, valueBytes] = [Buffer.from(key), Buffer.from(value)];
  const body = Buffer.concat([
    Buffer.from([0]),
    varint(0),
    varint(at),
    varint(keyBytes.length),
    keyBytes,
    varint(valueBytes.length),
    valueBytes,
    varint(0),
  ]);
  return Buffer.concat([varint(body.length), body]);
}

/** Zigzag varint of a number of 0 or more, lowest seven bits first. */
function varint(value: number): Buffer {
  const bytes: number[] = [];
  let left = 2 * value;
  for (; left >= 128; left = Math.floor(left / 128)) bytes.push((left % 128) + 128);
  return Buffer.from([...bytes, left]);
}

/** CRC-32C (Castagnoli), byte by byte. */
function crc32c(bytes: Buffer): number {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = (TABLE[(crc ^ byte) & 0xff] ?? 0) ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
}

const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = (crc & 1) === 0 ? crc >>> 1 : (crc >>> 1) ^ 0x82f63b78;
  return crc;
});
