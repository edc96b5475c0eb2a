import { checksum } from '../reader/batches.ts';
import { ByteWriter, type Part, sizedBytes, varintBytes } from './byte-writer.ts';

export interface PlainRecord {
  readonly key?: Part;
  readonly value?: Part;
  readonly headers?: PlainHeaders;
}

export type PlainHeaders = Readonly<Record<string, Part>>;

export interface PlainBatch {
  readonly records: readonly PlainRecord[];
  /** The time of all records, epoch ms. */
  readonly timestamp: number;
  readonly transactional: boolean;
  readonly producerId: bigint;
  readonly producerEpoch: number;
  readonly firstSequence: number;
}

const MAGIC = 2;
const TRANSACTIONAL = 16;
const NONE: PlainHeaders = {};

/**
 * Writes a batch without compression:
 *
 *     base offset i64 0 | length i32 | leader epoch i32 0 | magic i8 | crc u32 of all that follows
 *     attributes i16 | last offset delta i32 | first, max timestamp i64 | producer id i64, epoch i16, first sequence i32
 *     record count i32 | records
 */
export function writeBatch(writer: ByteWriter, batch: PlainBatch): void {
  const { records, timestamp, producerId, producerEpoch, firstSequence } = batch;
  writer.int64(0n);
  const lengthAt = writer.at;
  writer.int32(0);
  writer.int32(0);
  writer.int8(MAGIC);
  const crcAt = writer.at;
  writer.int32(0);
  const checked = writer.at;
  writer.int16(batch.transactional ? TRANSACTIONAL : 0);
  writer.int32(records.length - 1);
  writer.int64(BigInt(timestamp));
  writer.int64(BigInt(timestamp));
  writer.int64(producerId);
  writer.int16(producerEpoch);
  writer.int32(firstSequence);
  writer.int32(records.length);
  writeRecords(writer, records);
  writer.bytes.writeInt32BE(writer.at - lengthAt - 4, lengthAt);
  writer.bytes.writeUInt32BE(checksum(writer.bytes.subarray(checked, writer.at)), crcAt);
}

/**
 * Writes records that all have the batch's time:
 *
 *     length | attributes i8 | ms delta | offset delta | key length, key | value length, value | headers
 *
 * Numbers without a type are zigzag varints; a length of −1 stands for null. Headers that several records share are
 * encoded once.
 */
export function writeRecords(writer: ByteWriter, records: readonly PlainRecord[]): void {
  const encoded = new Map<PlainHeaders, Uint8Array>();
  for (let offset = 0; offset < records.length; offset++) {
    const { key, value, headers = NONE } = records[offset]!;
    let block = encoded.get(headers);
    if (block === undefined) {
      block = encodeHeaders(headers);
      encoded.set(headers, block);
    }
    writer.varint(2 + varintBytes(offset) + sizedBytes(key) + sizedBytes(value) + block.length);
    writer.int8(0);
    writer.varint(0);
    writer.varint(offset);
    writer.part(key);
    writer.part(value);
    writer.raw(block);
  }
}

/** The number of headers, then for each header: name length, name, value length, value. */
function encodeHeaders(headers: PlainHeaders): Uint8Array {
  const writer = new ByteWriter(256);
  const all = Object.entries(headers);
  writer.varint(all.length);
  for (const [name, value] of all) {
    writer.part(name);
    writer.part(value);
  }
  return writer.written();
}
