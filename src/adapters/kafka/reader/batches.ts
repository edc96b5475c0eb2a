import { crc32c, Writer } from '@platformatic/kafka';
import { FatalError, reasonOf } from '../../../errors/errors.ts';
import type { Partition, SourceRecord } from '../../../pipeline/ports.ts';
import { safeOffset } from '../failure.ts';
import { decompressed } from './codecs.ts';
import { BatchRecords, type RecordPlace } from './records.ts';

/*
 * A record batch, big-endian. `length` counts the bytes after itself, and `crc` (CRC-32C) covers the bytes after itself.
 * The records are compressed together.
 *
 *   0     8       12     16     17   21          23    27     35    43        51     53        57     61
 *   base  length  epoch  magic  crc  attributes  last  first  max   producer  epoch  sequence  count  records
 *   i64   i32     i32    i8     u32  u16         i32   i64    i64   i64       i16    i32       i32
 *   offset                                       delta ms     ms
 */
const HEADER_BYTES = 61;
const BEFORE_LENGTH_COUNTS = 12;
const EPOCH_AT = 12;
const CRC_AT = 17;
const CRC_COVERS = 21;
const CODEC = 0x07;
const LOG_APPEND_TIME = 0x08;
const TRANSACTIONAL = 0x10;
const CONTROL = 0x20;
/** A batch that is larger once decompressed is decoded in parts of about this size. */
const PART_BYTES = 1 << 20;

/** An aborted transaction: its records, from the first up to its marker, are skipped. */
export interface AbortedTransaction {
  readonly producerId: bigint;
  readonly firstOffset: number;
}

/** Record batches as a broker sent them. */
export interface Batches extends Partition {
  /** Whole batches. */
  readonly bytes: Buffer;
  readonly aborted: readonly AbortedTransaction[];
}

/** Records decoded from some batches. */
export interface Decoded {
  readonly records: SourceRecord[];
  /** Every offset below this one is read, even where it held no record to hand over. */
  readonly next: number;
  /** Leader epoch of all the batches that they are of. */
  readonly epoch: number | undefined;
}

/**
 * The length of the whole batches that begin below `until`, in bytes, the offset after them, and the leader epoch of the last; `next` is
 * undefined where there is no whole batch.
 * @throws FatalError `log-format` where a batch is not of the format above.
 */
export function wholeBatches(
  bytes: Buffer,
  until: number,
  topic: string,
): { length: number; next: number | undefined; epoch: number | undefined } {
  let next: number | undefined;
  let epoch: number | undefined;
  let at = 0;
  while (at + HEADER_BYTES <= bytes.length) {
    const end = at + BEFORE_LENGTH_COUNTS + bytes.readInt32BE(at + 8);
    const base = safeOffset(bytes.readBigInt64BE(at), topic);
    // A compacted log may lack batches of other epochs before `until`.
    if (base >= until) return { length: at, next: until, epoch: next === until ? epoch : undefined };
    if (end > bytes.length) break;
    if (bytes.readInt8(at + 16) !== 2) {
      const message = `${topic} holds records in the format of Kafka before 0.11 at offset ${base}, which can't be read; write the topic again`;
      throw new FatalError('log-format', message);
    }
    next = base + bytes.readInt32BE(at + 23) + 1;
    epoch = epochAt(bytes, at);
    at = end;
  }
  return { length: at, next, epoch };
}

/** The leader epoch of the batch at `at`. */
function epochAt(bytes: Buffer, at: number): number | undefined {
  const epoch = bytes.readInt32BE(at + EPOCH_AT);
  return epoch < 0 ? undefined : epoch;
}

/** A batch whose records are being read. */
interface OpenBatch {
  readonly base: number;
  readonly last: number;
  readonly parts: AsyncGenerator<Buffer>;
  readonly records: BatchRecords;
}

/**
 * Decodes batches part by part; a part may end in the middle of a batch, and ends where the leader epoch changes. Gives the records from offset `from` to before
 * `until`, without markers and records of aborted transactions. Checks the CRC of every batch.
 */
export class BatchDecoder {
  readonly #batches: Batches;
  readonly #from: number;
  readonly #until: number;
  readonly #coming: AbortedTransaction[];
  /** Producers that are inside an aborted transaction at the next batch. */
  readonly #aborted = new Set<bigint>();
  #at = 0;
  #next: number;
  /** Of the batch opened last. */
  #epoch: number | undefined;
  #open: OpenBatch | undefined;
  #damage: FatalError | undefined;

  constructor(batches: Batches, from: number, until: number) {
    this.#batches = batches;
    this.#from = from;
    this.#until = until;
    this.#next = from;
    this.#coming = batches.aborted.toSorted((a, b) => a.firstOffset - b.firstOffset);
  }

  get done(): boolean {
    return this.#damage === undefined && this.#open === undefined && this.#at >= this.#batches.bytes.length;
  }

  /**
   * The next records, of about `enoughBytes` together once decompressed; there may be none.
   * @throws FatalError `damaged-batch`, after all records before the damaged batch were given.
   */
  async next(enoughBytes: number): Promise<Decoded> {
    const records: SourceRecord[] = [];
    const { bytes: batches } = this.#batches;
    if (this.#open === undefined && this.#at < batches.length) this.#epoch = epochAt(batches, this.#at);
    try {
      for (let bytes = 0; !this.done && bytes < enoughBytes; ) {
        if (this.#damage !== undefined) throw this.#damage;
        if (this.#open === undefined && epochAt(batches, this.#at) !== this.#epoch) break;
        this.#open ??= this.#openBatch();
        if (this.#open !== undefined) bytes += await this.#take(this.#open, records, enoughBytes - bytes);
      }
    } catch (error) {
      if (!(error instanceof FatalError) || records.length === 0) throw error;
      this.#damage = error;
      return { records, next: records[records.length - 1]!.offset + 1, epoch: this.#epoch };
    }
    return { records, next: Math.min(this.#next, this.#until), epoch: this.#epoch };
  }

  /** Opens the batch at `#at`, and checks its CRC; undefined where the batch has no record to hand over. */
  #openBatch(): OpenBatch | undefined {
    const { topic, partition, bytes } = this.#batches;
    const at = this.#at;
    const end = at + BEFORE_LENGTH_COUNTS + bytes.readInt32BE(at + 8);
    const base = safeOffset(bytes.readBigInt64BE(at), topic);
    const last = base + bytes.readInt32BE(at + 23);
    const attributes = bytes.readUInt16BE(at + 21);
    const producerId = bytes.readBigInt64BE(at + 43);
    this.#at = end;
    const said = bytes.readUInt32BE(at + CRC_AT);
    const computed = checksum(bytes.subarray(at + CRC_COVERS, end));
    if (said !== computed) {
      const reason = `their checksum is ${hex(computed)}, the batch says ${hex(said)}`;
      throw this.#damaged(base, last, reason);
    }
    while (this.#coming[0] !== undefined && this.#coming[0].firstOffset <= last) {
      this.#aborted.add(this.#coming.shift()!.producerId);
    }
    if ((attributes & CONTROL) !== 0) {
      if (isAbort(bytes.subarray(at + HEADER_BYTES, end))) this.#aborted.delete(producerId);
      this.#passed(last);
      return undefined;
    }
    const aborted = (attributes & TRANSACTIONAL) !== 0 && this.#aborted.has(producerId);
    const count = bytes.readInt32BE(at + 57);
    if (last < this.#from || aborted || count === 0) {
      this.#passed(last);
      return undefined;
    }
    const place: RecordPlace = {
      topic,
      partition,
      base,
      from: this.#from,
      until: this.#until,
      ...timesOf(bytes, at, attributes),
    };
    const parts = decompressed(bytes.subarray(at + HEADER_BYTES, end), attributes & CODEC, PART_BYTES);
    return { base, last, parts, records: new BatchRecords(count, place) };
  }

  /** Appends records of the open batch to `into`, and gives their bytes. */
  async #take(
    { base, last, parts, records }: OpenBatch,
    into: SourceRecord[],
    enough: number,
  ): Promise<number> {
    try {
      let taken = records.take(into, enough);
      while (taken === 0 && !records.done) {
        const part = await parts.next();
        if (part.done) throw records.cutOff();
        records.add(part.value);
        taken = records.take(into, enough);
      }
      this.#next = Math.max(this.#next, records.next ?? 0);
      if (records.done) {
        await parts.return(undefined);
        this.#passed(last);
      }
      return taken;
    } catch (cause) {
      throw this.#damaged(base, last, reasonOf(cause), cause);
    }
  }

  #passed(last: number): void {
    this.#open = undefined;
    this.#next = Math.max(this.#next, last + 1);
  }

  #damaged(base: number, last: number, reason: string, cause?: unknown): FatalError {
    const { topic, partition } = this.#batches;
    this.#open = undefined;
    const message = `records ${base} to ${last} of ${topic}/${partition} are damaged: ${reason}; look at the disks of the partition's brokers, bring a replica that is whole to lead, or replay from ${last + 1} on`;
    return new FatalError('damaged-batch', message, { cause });
  }
}

function hex(crc: number): string {
  return crc.toString(16).padStart(8, '0');
}

/** The time that each record's delta is added to, and the time of all records where the broker set it. */
function timesOf(bytes: Buffer, at: number, attributes: number): Pick<RecordPlace, 'firstMs' | 'allMs'> {
  const firstMs = Number(bytes.readBigInt64BE(at + 27));
  return (attributes & LOG_APPEND_TIME) === 0
    ? { firstMs }
    : { firstMs, allMs: Number(bytes.readBigInt64BE(at + 35)) };
}

const EVERYTHING: RecordPlace = {
  topic: '',
  partition: 0,
  base: 0,
  from: 0,
  until: Number.POSITIVE_INFINITY,
  firstMs: 0,
};

/** Whether a control batch marks an abort. The key of its one record is: version i16, type i16; type 0 is an abort. */
function isAbort(records: Buffer): boolean {
  const markers: SourceRecord[] = [];
  const reading = new BatchRecords(1, EVERYTHING);
  reading.add(records);
  reading.take(markers, Number.POSITIVE_INFINITY);
  return markers[0]?.key?.readInt16BE(2) === 0;
}

/** The CRC-32C of bytes. The client's own function copies them first, unless they are in one of its buffers, as here. */
export function checksum(bytes: Buffer): number {
  return crc32c(Writer.create().append(bytes).dynamicBuffer);
}
