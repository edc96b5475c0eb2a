import { gzipSync } from 'node:zlib';

/** A record to be written by hand; offset and time are relative to its batch. */
export interface PlainRecord {
  readonly at: number;
  readonly ms?: number;
  readonly key?: Buffer | null;
  readonly value?: Buffer | null;
  readonly headers?: readonly (readonly [string, Buffer | null])[];
}

export interface PlainBatch {
  readonly base: number;
  readonly epoch?: number;
  readonly records: readonly PlainRecord[];
  /** Offset of the last record before compaction, relative to `base`. */
  readonly last?: number;
  readonly firstMs?: bigint;
  readonly maxMs?: bigint;
  readonly producerId?: bigint;
  readonly attributes?: number;
  readonly magic?: number;
  /** Compresses the records with the codec that `attributes` name; not needed for gzip. */
  readonly pack?: (records: Buffer) => Buffer;
}

export const TRANSACTIONAL = 0x10;
export const CONTROL = 0x20;
export const LOG_APPEND_TIME = 0x08;
export const [GZIP, SNAPPY, LZ4, ZSTD] = [1, 2, 3, 4] as const;

/** Zigzag varint, lowest seven bits first; computed with bigints, slow and plain. */
export function varint(value: number): Buffer {
  let left = BigInt(value) < 0n ? -2n * BigInt(value) - 1n : 2n * BigInt(value);
  const bytes: number[] = [];
  for (; left >= 128n; left /= 128n) bytes.push(Number(left % 128n) + 128);
  return Buffer.from([...bytes, Number(left)]);
}

const sized = (bytes: Buffer | null): Buffer =>
  bytes === null ? varint(-1) : Buffer.concat([varint(bytes.length), bytes]);

export function recordBytes({ at, ms = 0, key = null, value = null, headers = [] }: PlainRecord): Buffer {
  return sized(
    Buffer.concat([
      Buffer.from([0]),
      ...[varint(ms), varint(at), sized(key), sized(value), varint(headers.length)],
      ...headers.flatMap(([name, bytes]) => [sized(Buffer.from(name)), sized(bytes)]),
    ]),
  );
}

/** CRC-32C, bit by bit: slow, plain, and independent of the code under test. */
export function crcOf(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ ((crc & 1) === 0 ? 0 : 0x82f63b78);
  }
  return ~crc >>> 0;
}

/** The same batch with the right checksum for its bytes. */
export function sealed(batch: Buffer): Buffer {
  batch.writeUInt32BE(crcOf(batch.subarray(21)), 17);
  return batch;
}

/** A batch as Kafka's documentation lays it out. */
export function batchBytes(batch: PlainBatch): Buffer {
  const { base, records, firstMs = 0n, maxMs = 0n, producerId = -1n, attributes = 0, magic = 2 } = batch;
  const plain = Buffer.concat(records.map(recordBytes));
  const { pack = (attributes & 7) === GZIP ? gzipSync : undefined } = batch;
  const body = pack?.(plain) ?? plain;
  const head = Buffer.alloc(61);
  head.writeBigInt64BE(BigInt(base), 0);
  head.writeInt32BE(49 + body.length, 8);
  head.writeInt32BE(batch.epoch ?? 0, 12);
  head.writeInt8(magic, 16);
  head.writeUInt16BE(attributes, 21);
  head.writeInt32BE(batch.last ?? records.at(-1)?.at ?? 0, 23);
  head.writeBigInt64BE(firstMs, 27);
  head.writeBigInt64BE(maxMs, 35);
  head.writeBigInt64BE(producerId, 43);
  head.writeInt32BE(records.length, 57);
  return sealed(Buffer.concat([head, body]));
}

/** `count` records from `base` on, whose values are their offsets. */
export function counted(base: number, count: number, rest: Partial<PlainBatch> = {}): Buffer {
  const records = Array.from({ length: count }, (_, at) => ({ at, value: Buffer.from(String(base + at)) }));
  return batchBytes({ base, records, ...rest });
}

/** The marker that ends a transaction. */
export function marker(base: number, producerId: bigint, kind: 'abort' | 'commit'): Buffer {
  const key = Buffer.from([0, 0, 0, kind === 'abort' ? 0 : 1]);
  return batchBytes({
    base,
    records: [{ at: 0, key, value: Buffer.alloc(6) }],
    producerId,
    attributes: TRANSACTIONAL | CONTROL,
  });
}
