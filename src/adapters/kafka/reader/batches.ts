import { FatalError, reasonOf } from '../../../errors/errors.ts';
import type { SourceRecord } from '../../../pipeline/ports.ts';
import { safeOffset } from '../offset.ts';
import { type RecordPlace, readRecords } from './batch-records.ts';
import { decompress } from './codecs.ts';

/*
 * A record batch, big-endian; length counts what follows it. Records are compressed together.
 *
 *   0     8       12     16     17   21          23    27     35    43        51     53        57     61
 *   base  length  epoch  magic  crc  attributes  last  first  max   producer  epoch  sequence  count  records
 *   i64   i32     i32    i8     u32  u16         i32   i64    i64   i64       i16    i32       i32
 *   offset                                       delta ms     ms
 *
 * Read here and not by kafkajs, which lets records of an aborted transaction through where a fetch begins inside two of
 * them (`consumer/filterAbortedMessages.js` takes one from the list for each record), stays for ever before a batch
 * that compaction emptied, and overflows the stack at a batch of many small records (`push(...records)`).
 */
const HEADER_BYTES = 61;
const BEFORE_LENGTH_COUNTS = 12;
const CODEC = 0x07;
const LOG_APPEND_TIME = 0x08;
const TRANSACTIONAL = 0x10;
const CONTROL = 0x20;

/** A transaction whose records, from its first on up to its marker, are not for readers. */
export interface AbortedTransaction {
  readonly producerId: bigint;
  readonly firstOffset: number;
}

/** Record batches as a broker gave them. */
export interface Batches {
  readonly topic: string;
  readonly partition: number;
  /** Whole ones. */
  readonly bytes: Buffer;
  readonly aborted: readonly AbortedTransaction[];
}

/**
 * How many of the bytes are whole batches that reach below `until`, and the offset after them; none where there is no
 * whole batch. @throws FatalError where they are not of the format above.
 */
export function wholeBatches(
  bytes: Buffer,
  until: number,
  topic: string,
): { length: number; next: number | undefined } {
  let next: number | undefined;
  let at = 0;
  while (at + HEADER_BYTES <= bytes.length) {
    const end = at + BEFORE_LENGTH_COUNTS + bytes.readInt32BE(at + 8);
    const base = offsetAt(bytes, at, topic);
    if (base >= until) {
      return { length: at, next: until };
    }
    if (end > bytes.length) {
      break;
    }
    if (bytes.readInt8(at + 16) !== 2) {
      throw new FatalError(
        'record-format',
        `${topic} holds records in the format of Kafka before 0.11 at offset ${base}; they can't be read`,
      );
    }
    next = base + bytes.readInt32BE(at + 23) + 1;
    at = end;
  }
  return { length: at, next };
}

/**
 * Makes records of batches, a part at a time: those from offset `from` up to, but without, `until`, less those of
 * aborted transactions and the markers.
 */
export class Unpacking {
  readonly #batches: Batches;
  readonly #from: number;
  readonly #until: number;
  readonly #coming: AbortedTransaction[];
  /** Producers inside of a transaction they aborted, where the next batch stands. */
  readonly #aborted = new Set<bigint>();
  #at = 0;

  constructor(batches: Batches, from: number, until: number) {
    this.#batches = batches;
    this.#from = from;
    this.#until = until;
    this.#coming = batches.aborted.toSorted((a, b) => a.firstOffset - b.firstOffset);
  }

  get done(): boolean {
    return this.#at >= this.#batches.bytes.length;
  }

  /**
   * The next records, of whole batches until they take up `enoughBytes` unpacked; perhaps none.
   * @throws FatalError when the bytes are damaged.
   */
  async next(enoughBytes: number): Promise<SourceRecord[]> {
    const records: SourceRecord[] = [];
    for (let bytes = 0; !this.done && bytes < enoughBytes; ) {
      bytes += await this.#batch(records);
    }
    return records;
  }

  /** Adds what is wanted of one batch, and gives how many bytes its records take up. */
  async #batch(into: SourceRecord[]): Promise<number> {
    const { topic, partition, bytes } = this.#batches;
    const at = this.#at;
    const end = at + BEFORE_LENGTH_COUNTS + bytes.readInt32BE(at + 8);
    const base = offsetAt(bytes, at, topic);
    const last = base + bytes.readInt32BE(at + 23);
    const attributes = bytes.readUInt16BE(at + 21);
    const producerId = bytes.readBigInt64BE(at + 43);
    this.#at = end;
    while (this.#coming[0] !== undefined && this.#coming[0].firstOffset <= last) {
      this.#aborted.add(this.#coming.shift()!.producerId);
    }
    const place = {
      ...{ topic, partition, base, from: this.#from, until: this.#until },
      ...timesOf(bytes, at, attributes),
    };
    try {
      if ((attributes & CONTROL) !== 0) {
        if (endsAborted(bytes.subarray(at, end), place)) this.#aborted.delete(producerId);
        return 0;
      }
      if (last < this.#from || ((attributes & TRANSACTIONAL) !== 0 && this.#aborted.has(producerId))) {
        return 0;
      }
      const packed = bytes.subarray(at + HEADER_BYTES, end);
      const codec = attributes & CODEC;
      const unpacked = codec === 0 ? packed : await decompress(packed, codec);
      readRecords(unpacked, bytes.readInt32BE(at + 57), place, into);
      return unpacked.length;
    } catch (cause) {
      const what = `records ${base} to ${last} of ${topic}/${partition} can't be read: ${reasonOf(cause)}`;
      const message = `${what}; look at the broker's disk, or read from ${last + 1} on`;
      throw new FatalError('damaged-batch', message, { cause });
    }
  }
}

function offsetAt(bytes: Buffer, at: number, topic: string): number {
  return safeOffset(String(bytes.readBigInt64BE(at)), topic);
}

/** What a record's own time is added to, or the time of all of them. */
function timesOf(bytes: Buffer, at: number, attributes: number): Pick<RecordPlace, 'firstMs' | 'allMs'> {
  const firstMs = Number(bytes.readBigInt64BE(at + 27));
  return (attributes & LOG_APPEND_TIME) === 0
    ? { firstMs }
    : { firstMs, allMs: Number(bytes.readBigInt64BE(at + 35)) };
}

/** Whether a batch holds the marker of an abort: its one record's key is version i16, type i16, where 0 is abort. */
function endsAborted(batch: Buffer, place: RecordPlace): boolean {
  const markers: SourceRecord[] = [];
  readRecords(
    batch.subarray(HEADER_BYTES),
    batch.readInt32BE(57),
    { ...place, from: 0, until: Number.POSITIVE_INFINITY },
    markers,
  );
  return markers[0]?.key?.readInt16BE(2) === 0;
}
