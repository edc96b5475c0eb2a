import { createRequire } from 'node:module';
import { isKnownRelease } from '../known-release.ts';

/** Memory is made for so many bytes of records at a time. */
const BLOCK_BYTES = 256 * 1024;
/** The most that a varint takes. */
const VARINT_BYTES = 10;

type Part = Uint8Array | string | null | undefined;

/** A record as kafkajs hands it over to be encoded. */
export interface PlainRecord {
  readonly offsetDelta?: number;
  readonly timestampDelta?: number;
  readonly key?: Part;
  readonly value?: Part;
  readonly headers?: Readonly<Record<string, Part | readonly Part[]>>;
}

/** What kafkajs takes for an encoder that is done. */
export interface EncodedRecord {
  readonly buf: Buffer;
  readonly buffer: Buffer;
}

/**
 * Encodes a record in one go, to the bytes that kafkajs makes of it through an encoder of 512 bytes for each header and
 * a buffer for each varint, which takes ten times as long (`bench/records.ts`):
 *
 *     length | attributes i8 | ms delta | offset delta | key length, key | value length, value | header count
 *     a header: name length, name, value length, value. Numbers without a type are zigzag varints, -1 a length of null
 */
export function encodeRecord(record: PlainRecord): EncodedRecord {
  const { offsetDelta = 0, timestampDelta = 0, key, value, headers = {} } = record;
  const pairs = Object.entries(headers).flatMap(([name, of]) =>
    isList(of) ? of.map((each) => [name, each] as const) : [[name, of] as const],
  );
  let most = 5 * VARINT_BYTES + mostBytes(key) + mostBytes(value);
  for (const [name, of] of pairs) most += 2 * VARINT_BYTES + mostBytes(name) + mostBytes(of);

  writer.reserve(most);
  // Room for the length is left in front, which is known once the rest is written.
  const start = writer.at + VARINT_BYTES;
  writer.at = start;
  writer.bytes[writer.at++] = 0;
  writer.varint(timestampDelta);
  writer.varint(offsetDelta);
  writer.part(key);
  writer.part(value);
  writer.varint(pairs.length);
  for (const [name, of] of pairs) {
    writer.part(name);
    writer.part(of);
  }
  const end = writer.at;
  const first = start - varintBytes(end - start);
  writer.at = first;
  writer.varint(end - start);
  writer.at = end;
  const buffer = writer.bytes.subarray(first, end);
  return { buf: buffer, buffer };
}

/**
 * Puts {@link encodeRecord} in the place of kafkajs's own. Says whether it is there: without it, publishing is only slower.
 * Source: `src/protocol/recordBatch`.
 */
export function replaceRecordEncoder(): boolean {
  if (!isKnownRelease()) return false;
  const require = createRequire(import.meta.url);
  const path = require.resolve('kafkajs/src/protocol/recordBatch/record/v0/index.js');
  require(path);
  const module = require.cache[path];
  if (module === undefined) return false;
  module.exports = encodeRecord;
  return true;
}

/** Blocks of memory that records are written into one behind the other; a block lives as long as one of its records. */
class RecordWriter {
  bytes = Buffer.alloc(0);
  at = 0;

  reserve(most: number): void {
    if (this.at + most <= this.bytes.length) return;
    this.bytes = Buffer.allocUnsafe(Math.max(BLOCK_BYTES, most));
    this.at = 0;
  }

  /** Exact up to 2^52 either way. */
  varint(value: number): void {
    let left = value < 0 ? -2 * value - 1 : 2 * value;
    while (left >= 0x80) {
      this.bytes[this.at++] = (left % 0x80) + 0x80;
      left = Math.floor(left / 0x80);
    }
    this.bytes[this.at++] = left;
  }

  part(part: Part): void {
    if (part === null || part === undefined) {
      this.varint(-1);
    } else if (typeof part === 'string') {
      this.#text(part);
    } else {
      this.varint(part.length);
      this.bytes.set(part, this.at);
      this.at += part.length;
    }
  }

  #text(text: string): void {
    const before = this.at;
    this.varint(text.length);
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i);
      if (code >= 0x80) {
        this.at = before;
        this.varint(Buffer.byteLength(text));
        this.at += this.bytes.write(text, this.at);
        return;
      }
      this.bytes[this.at++] = code;
    }
  }
}

const writer = new RecordWriter();

function isList(of: Part | readonly Part[]): of is readonly Part[] {
  return Array.isArray(of);
}

/** Three bytes of UTF-8 for each unit of UTF-16 at the most. */
function mostBytes(part: Part): number {
  return typeof part === 'string' ? 3 * part.length : (part?.length ?? 0);
}

function varintBytes(value: number): number {
  let bytes = 1;
  for (let left = 2 * value; left >= 0x80; left = Math.floor(left / 0x80)) bytes++;
  return bytes;
}
