import type { SourceRecord, Stretch } from '../../../pipeline/ports.ts';

/** The place of one batch in the log, and the range of offsets that is wanted. */
export interface RecordPlace extends Stretch {
  /** The offset that each record's delta is added to. */
  readonly base: number;
  /** The time that each record's delta is added to, epoch ms. */
  readonly firstMs: number;
  /** The time of every record, where the broker sets it. */
  readonly allMs?: number;
}

/** A larger record is cut to this size. No event is as large. */
export const LARGEST_RECORD_BYTES = 16 << 20;

/*
 * A record. All numbers but the attributes are zigzag varints, lowest 7 bits first; a length of −1 stands for null:
 *
 *   length | attributes i8 | ms delta | offset delta | key length, key | value length, value | header count
 *   a header: name length, name, value length, value
 */

/** The records of one batch, whose bytes come in parts. Keys, values and headers are views of these parts. */
export class BatchRecords {
  readonly #place: RecordPlace;
  readonly #count: number;
  #read = 0;
  #reader = new VarintReader(Buffer.alloc(0));
  /** Bytes of an oversized record that are still to be skipped. */
  #passOver = 0;

  constructor(count: number, place: RecordPlace) {
    this.#count = count;
    this.#place = place;
  }

  /** Whether every record is read. */
  get done(): boolean {
    return this.#read >= this.#count;
  }

  /** Offset after the last record read; undefined before the first. */
  next: number | undefined;

  /** Appends a part to the unread bytes of the parts before. */
  add(part: Buffer): void {
    const passed = Math.min(this.#passOver, part.length);
    this.#passOver -= passed;
    const rest = this.#reader.rest();
    const fresh = part.subarray(passed);
    this.#reader = new VarintReader(rest.length === 0 ? fresh : Buffer.concat([rest, fresh]));
  }

  /**
   * Appends whole records to `into`, of about `enoughBytes` together. Gives the bytes read; 0 when another part is needed.
   * @throws Error when a record is not as long as its length says.
   */
  take(into: SourceRecord[], enoughBytes: number): number {
    const reader = this.#reader;
    const began = reader.at;
    while (!this.done && reader.at - began < enoughBytes) {
      const start = reader.at;
      if (reader.left === 0) break;
      const length = reader.varint();
      if (reader.left < 0) {
        reader.at = start;
        break;
      }
      if (!(length > 0)) throw new Error(`record ${this.#read} of ${this.#count} has length ${length}`);
      const kept = Math.min(length, LARGEST_RECORD_BYTES);
      if (kept > reader.left) {
        reader.at = start;
        break;
      }
      this.#record(reader, kept, length, into);
      this.#read++;
      if (length > kept) {
        const here = Math.min(length - kept, reader.left);
        reader.at += here;
        this.#passOver = length - kept - here;
      }
    }
    return reader.at - began;
  }

  /** The error where no further part comes. */
  cutOff(): Error {
    return new Error(`record ${this.#read} of ${this.#count} is cut off`);
  }

  #record(reader: VarintReader, kept: number, length: number, into: SourceRecord[]): void {
    const { topic, partition, base, from, until, firstMs, allMs } = this.#place;
    const end = reader.at + kept;
    reader.at++;
    const msDelta = reader.varint();
    const offset = base + reader.varint();
    this.next = offset + 1;
    if (offset < from || offset >= until) {
      reader.at = end;
      return;
    }
    const timestamp = allMs ?? firstMs + msDelta;
    const key = reader.bytes(end);
    const value = reader.bytes(end);
    if (length > kept) {
      reader.at = end;
      into.push({ topic, partition, offset, timestamp, key, value });
      return;
    }
    const headers = reader.headers(end);
    if (headers === undefined) into.push({ topic, partition, offset, timestamp, key, value });
    else into.push({ topic, partition, offset, timestamp, key, value, headers });
    if (reader.at !== end)
      throw new Error(`record ${this.#read} of ${this.#count} is not as long as it says`);
  }
}

const MANY_BYTES = 64;

/** One header, and where its bytes are; without a pair where it has no value. */
interface HeaderSpan {
  readonly start: number;
  readonly end: number;
  readonly pair: readonly [string, Buffer] | undefined;
}

/** Headers that were decoded, and where their bytes are. */
interface KnownHeaders {
  readonly start: number;
  readonly end: number;
  readonly headers: SourceRecord['headers'];
  readonly spans: readonly HeaderSpan[];
}

class VarintReader {
  at = 0;
  readonly #bytes: Buffer;
  /** The headers of the record before. */
  #known: KnownHeaders | undefined;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get left(): number {
    return this.#bytes.length - this.at;
  }

  rest(): Buffer {
    return this.#bytes.subarray(this.at);
  }

  /** Exact from −2^52 to 2^52, which no valid time or length exceeds. */
  varint(): number {
    const bytes = this.#bytes;
    let byte = bytes[this.at++] ?? 0;
    if (byte < 0x80) return (byte >>> 1) ^ -(byte & 1);
    let value = byte & 0x7f;
    for (let scale = 0x80; byte >= 0x80; scale *= 0x80) {
      byte = bytes[this.at++] ?? 0;
      value += (byte & 0x7f) * scale;
    }
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }

  /** A length and as many bytes, but none after `end`. */
  bytes(end: number): Buffer | null {
    const length = this.varint();
    if (length < 0) return null;
    const start = this.at;
    this.at = start + length;
    return this.#bytes.subarray(start, Math.min(this.at, end));
  }

  /**
   * The headers by name: all bytes up to `end`. The last header of a name counts; a header without a value is left out.
   * undefined where there is none. Neighbours with the same bytes share one object, and those that differ in some headers share
   * the others: whoever decodes headers can decode those of many records at once.
   */
  headers(end: number): SourceRecord['headers'] {
    const start = this.at;
    const count = this.varint();
    if (count === 0) return undefined;
    const known = this.#known;
    if (known !== undefined && this.#same(known.start, known.end, start, end)) {
      this.at = end;
      return known.headers;
    }
    const spans: HeaderSpan[] = [];
    for (let n = 0; n < count && this.at < end; n++) spans.push(this.#header(end, known?.spans[n]));
    const pairs = spans.flatMap(({ pair }) => (pair === undefined ? [] : [pair]));
    const headers = pairs.length === 0 ? undefined : Object.fromEntries(pairs);
    this.#known = headers !== undefined && this.at === end ? { start, end, headers, spans } : undefined;
    return headers;
  }

  /** The header that begins here; `before`, where its bytes are the same. */
  #header(end: number, before: HeaderSpan | undefined): HeaderSpan {
    const start = this.at;
    const nameLength = Math.max(0, this.varint());
    const nameAt = this.at;
    this.at += nameLength;
    const valueLength = this.varint();
    const valueAt = this.at;
    this.at += Math.max(0, valueLength);
    if (before !== undefined && this.at <= end && this.#same(before.start, before.end, start, this.at))
      return before;
    const name = this.#bytes.toString('utf8', nameAt, Math.min(nameAt + nameLength, end));
    const value = this.#bytes.subarray(valueAt, Math.min(this.at, end));
    return { start, end: this.at, pair: valueLength < 0 ? undefined : [name, value] };
  }

  /** Whether two ranges have the same bytes. A call of `compare` takes as long as a loop over some dozen bytes. */
  #same(start: number, end: number, otherStart: number, otherEnd: number): boolean {
    const bytes = this.#bytes;
    if (end - start !== otherEnd - otherStart) return false;
    if (end - start > MANY_BYTES) return bytes.compare(bytes, start, end, otherStart, otherEnd) === 0;
    for (let i = 0; i < end - start; i++) if (bytes[start + i] !== bytes[otherStart + i]) return false;
    return true;
  }
}
