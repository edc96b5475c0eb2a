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

/*
 * A record; all but attributes are varints, zigzag, low 7 bits first; a length of -1 is null:
 *
 *   length | attributes i8 | ms delta | offset delta | key length, key | value length, value | header count
 *   a header: name length, name, value length, value
 */

/** Adds the wanted ones of `count` records to `into`. Keys, values and headers are views of `bytes`. */
export function readRecords(bytes: Buffer, count: number, place: RecordPlace, into: SourceRecord[]): void {
  const { topic, partition, base, from, until, firstMs, allMs } = place;
  const reader = new VarintReader(bytes);
  for (let n = 0; n < count; n++) {
    const length = reader.varint();
    const end = reader.at + length;
    if (!(length > 0 && end <= bytes.length)) {
      throw new Error(`record ${n} of ${count} is cut off`);
    }
    reader.at++;
    const msDelta = reader.varint();
    const offset = base + reader.varint();
    if (offset >= until) {
      return;
    }
    if (offset < from) {
      reader.at = end;
      continue;
    }
    const timestamp = allMs ?? firstMs + msDelta;
    const key = reader.bytes();
    const value = reader.bytes();
    const headerCount = reader.varint();
    if (headerCount === 0) {
      into.push({ topic, partition, offset, timestamp, key, value });
    } else {
      const headers = reader.headers(headerCount);
      into.push({ topic, partition, offset, timestamp, key, value, ...headers });
    }
    if (reader.at !== end) {
      throw new Error(`record ${n} of ${count} is not as long as it says`);
    }
  }
}

class VarintReader {
  at = 0;
  readonly #bytes: Buffer;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
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

  bytes(): Buffer | null {
    const length = this.varint();
    if (length < 0) {
      return null;
    }
    this.at += length;
    return this.#bytes.subarray(this.at - length, this.at);
  }

  /** Of a name that comes twice, the last; one without a value is as good as none. */
  headers(count: number): Pick<SourceRecord, 'headers'> {
    const pairs: [string, Buffer][] = [];
    for (let n = 0; n < count; n++) {
      const name = this.bytes()?.toString('utf8') ?? '';
      const value = this.bytes();
      if (value !== null) {
        pairs.push([name, value]);
      }
    }
    return pairs.length === 0 ? {} : { headers: Object.fromEntries(pairs) };
  }
}
