import { checksum } from '../reader/batches.ts';
import { ByteWriter, type Part, sizedBytes, varintBytes } from './byte-writer.ts';

export interface PlainRecord {
  readonly key?: Part;
  readonly value?: Part;
  readonly headers?: PlainHeaders;
}

export type PlainHeaders = Readonly<Record<string, Part>>;

/** What a batch says of its producer, and when it is sent. */
export interface BatchHead {
  /** The time of all records, epoch ms. */
  readonly timestamp: number;
  readonly transactional: boolean;
  readonly producerId: bigint;
  readonly producerEpoch: number;
  readonly firstSequence: number;
}

const MAGIC = 2;
const TRANSACTIONAL = 16;
const [LENGTH_AT, CRC_AT, ATTRIBUTES_AT, HEAD_BYTES] = [8, 17, 21, 61];

/**
 * A batch without compression, of records that all have its time:
 *
 *     base offset i64 0 | length i32 | leader epoch i32 0 | magic i8 | crc u32 of all that follows
 *     attributes i16 | last offset delta i32 | first, max timestamp i64 | producer id i64, epoch i16, first sequence i32
 *     record count i32 | records
 *
 *     record: length | attributes i8 | ms delta | offset delta | key length, key | value length, value | headers
 *
 * Numbers without a type are zigzag varints; a length of −1 stands for null. The head is written last: it may be written anew.
 */
export class RecordBatch {
  count = 0;
  readonly writer: ByteWriter;

  /** writer: it may have been another batch's, whose bytes are written over. */
  constructor(writer: ByteWriter) {
    this.writer = writer;
    writer.at = 0;
    writer.reserve(HEAD_BYTES);
    writer.at = HEAD_BYTES;
  }

  /** Adds a record with these encoded headers, unless the batch has others and would be larger than `mostBytes`. */
  add(key: Part, value: Part, headers: Uint8Array, mostBytes: number): boolean {
    const { writer, count } = this;
    const bytes = 2 + varintBytes(count) + sizedBytes(key) + sizedBytes(value) + headers.length;
    if (count > 0 && writer.at + varintBytes(bytes) + bytes > mostBytes) return false;
    writer.varint(bytes);
    writer.int8(0);
    writer.varint(0);
    writer.varint(count);
    writer.part(key);
    writer.part(value);
    writer.raw(headers);
    this.count++;
    return true;
  }

  /** The batch as it is sent. The memory is the writer's. */
  encoded({ timestamp, transactional, producerId, producerEpoch, firstSequence }: BatchHead): Buffer {
    const { writer, count } = this;
    const end = writer.at;
    writer.at = 0;
    writer.int64(0n);
    writer.int32(end - LENGTH_AT - 4);
    writer.int32(0);
    writer.int8(MAGIC);
    writer.at = ATTRIBUTES_AT;
    writer.int16(transactional ? TRANSACTIONAL : 0);
    writer.int32(count - 1);
    writer.int64(BigInt(timestamp));
    writer.int64(BigInt(timestamp));
    writer.int64(producerId);
    writer.int16(producerEpoch);
    writer.int32(firstSequence);
    writer.int32(count);
    writer.at = end;
    const bytes = writer.written();
    bytes.writeUInt32BE(checksum(bytes.subarray(ATTRIBUTES_AT)), CRC_AT);
    return bytes;
  }
}

/** Size of the largest message, as max.message.bytes counts it: in a batch of its own. */
export function largestBytes(messages: readonly PlainRecord[]): number {
  const writer = new ByteWriter(HEAD_BYTES);
  return messages.reduce((largest, { key, value, headers = {} }) => {
    new RecordBatch(writer).add(key, value, encodeHeaders(headers), 0);
    return Math.max(largest, writer.at);
  }, 0);
}

/** The number of headers, then for each header: name length, name, value length, value. */
export function encodeHeaders(headers: PlainHeaders): Uint8Array {
  const writer = new ByteWriter(256);
  const all = Object.entries(headers);
  writer.varint(all.length);
  for (const [name, value] of all) {
    writer.part(name);
    writer.part(value);
  }
  return writer.written();
}
