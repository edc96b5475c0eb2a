import type { SourceRecord } from '../../../pipeline/ports.ts';

/** Where the records of one batch belong, and which of them are wanted. */
export interface RecordPlace {
  readonly topic: string;
  readonly partition: number;
  /** Offset that each record's own is added to. */
  readonly base: number;
  readonly from: number;
  readonly until: number;
  /** Epoch ms that each record's own is added to. */
  readonly firstMs: number;
  /** The time of every record, where the broker dates them. */
  readonly allMs?: number;
}

/** The largest record kept whole. What is larger is handed over cut to this size, and no event is as large. */
export const LARGEST_RECORD_BYTES = 16 << 20;

/*
 * A record; all but attributes are varints, zigzag, low 7 bits first; a length of -1 is null:
 *
 *   length | attributes i8 | ms delta | offset delta | key length, key | value length, value | header count
 *   a header: name length, name, value length, value
 */

/** The records of one batch, read from bytes that come in parts. Keys, values and headers are views of those parts. */
export class BatchRecords {
  readonly #place: RecordPlace;
  readonly #count: number;
  #read = 0;
  #reader = new VarintReader(Buffer.alloc(0));
  /** Bytes of an oversized record that are still to be passed over. */
  #passOver = 0;

  constructor(count: number, place: RecordPlace) {
    this.#count = count;
    this.#place = place;
  }

  /** Every record is read. */
  get done(): boolean {
    return this.#read >= this.#count;
  }

  /** Offset after the last record read; undefined before the first. */
  next: number | undefined;

  /** Adds a part behind what is left of those before. */
  add(part: Buffer): void {
    const passed = Math.min(this.#passOver, part.length);
    this.#passOver -= passed;
    const rest = this.#reader.rest();
    const fresh = part.subarray(passed);
    this.#reader = new VarintReader(rest.length === 0 ? fresh : Buffer.concat([rest, fresh]));
  }

  /**
   * Adds whole records to `into` until they take up `enoughBytes`. Gives the bytes read; 0 when another part is needed.
   * @throws Error when a record is not as long as it says.
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

  /** What is wrong when no more parts come. */
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
    const headerCount = reader.varint();
    if (headerCount === 0) {
      into.push({ topic, partition, offset, timestamp, key, value });
    } else {
      const headers = reader.headers(headerCount, end);
      into.push({ topic, partition, offset, timestamp, key, value, ...headers });
    }
    if (reader.at !== end)
      throw new Error(`record ${this.#read} of ${this.#count} is not as long as it says`);
  }
}

class VarintReader {
  at = 0;
  readonly #bytes: Buffer;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get left(): number {
    return this.#bytes.length - this.at;
  }

  rest(): Buffer {
    return this.#bytes.subarray(this.at);
  }

  /** Exact up to 2^52 either way, which no time or length of use goes beyond. */
  varint(): number {
    const bytes = this.#bytes;
    let byte = bytes[this.at++] ?? 0;
    if (byte < 0x80) {
      return (byte >>> 1) ^ -(byte & 1);
    }
    let value = byte & 0x7f;
    for (let scale = 0x80; byte >= 0x80; scale *= 0x80) {
      byte = bytes[this.at++] ?? 0;
      value += (byte & 0x7f) * scale;
    }
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }

  /** Bytes behind their length, no further than `end`. */
  bytes(end: number): Buffer | null {
    const length = this.varint();
    if (length < 0) {
      return null;
    }
    const start = this.at;
    this.at = start + length;
    return this.#bytes.subarray(start, Math.min(this.at, end));
  }

  /** Of a name that comes twice, the last; a header without a value is as good as none. */
  headers(count: number, end: number): Pick<SourceRecord, 'headers'> {
    const pairs: [string, Buffer][] = [];
    for (let n = 0; n < count && this.at < end; n++) {
      const name = this.bytes(end)?.toString('utf8') ?? '';
      const value = this.bytes(end);
      if (value !== null) {
        pairs.push([name, value]);
      }
    }
    return pairs.length === 0 ? {} : { headers: Object.fromEntries(pairs) };
  }
}
