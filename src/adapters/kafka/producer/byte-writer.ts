export type Part = Uint8Array | string | null | undefined;

const VARINT_BYTES = 10;

/** Appends numbers and bytes to a buffer that grows. */
export class ByteWriter {
  bytes: Buffer;
  at = 0;

  constructor(capacity: number) {
    this.bytes = Buffer.allocUnsafe(capacity);
  }

  /** Makes room for `more` further bytes. */
  reserve(more: number): void {
    const needed = this.at + more;
    if (needed <= this.bytes.length) return;
    const grown = Buffer.allocUnsafe(Math.max(needed, 2 * this.bytes.length));
    this.bytes.copy(grown, 0, 0, this.at);
    this.bytes = grown;
  }

  written(): Buffer {
    return this.bytes.subarray(0, this.at);
  }

  int8(value: number): void {
    this.reserve(1);
    this.at = this.bytes.writeInt8(value, this.at);
  }

  int16(value: number): void {
    this.reserve(2);
    this.at = this.bytes.writeInt16BE(value, this.at);
  }

  int32(value: number): void {
    this.reserve(4);
    this.at = this.bytes.writeInt32BE(value, this.at);
  }

  int64(value: bigint): void {
    this.reserve(8);
    this.at = this.bytes.writeBigInt64BE(value, this.at);
  }

  /** Appends a zigzag varint. Exact from −2^52 to 2^52. */
  varint(value: number): void {
    this.reserve(VARINT_BYTES);
    const { bytes } = this;
    let { at } = this;
    let left = value < 0 ? -2 * value - 1 : 2 * value;
    while (left >= 0x80) {
      bytes[at++] = (left % 0x80) + 0x80;
      left = Math.floor(left / 0x80);
    }
    bytes[at++] = left;
    this.at = at;
  }

  /** Appends the part's length as a varint, −1 where there is no part, and then its bytes. */
  part(part: Part): void {
    if (part === null || part === undefined) {
      this.varint(-1);
      return;
    }
    const length = partBytes(part);
    this.varint(length);
    if (typeof part === 'string') this.#text(part, length);
    else this.raw(part);
  }

  raw(bytes: Uint8Array): void {
    this.reserve(bytes.length);
    this.bytes.set(bytes, this.at);
    this.at += bytes.length;
  }

  #text(text: string, length: number): void {
    this.reserve(length);
    const { bytes, at } = this;
    // A short ASCII text is written faster here than by a call into Node.
    if (text.length === length && length < 64) {
      for (let i = 0; i < length; i++) bytes[at + i] = text.charCodeAt(i);
    } else {
      bytes.write(text, at);
    }
    this.at = at + length;
  }
}

export function partBytes(part: Part): number {
  return typeof part === 'string' ? Buffer.byteLength(part) : (part?.length ?? 0);
}

/** Bytes that {@link ByteWriter.varint} appends for a number of 0 or more. */
export function varintBytes(value: number): number {
  let bytes = 1;
  for (let left = 2 * value; left >= 0x80; left = Math.floor(left / 0x80)) bytes++;
  return bytes;
}

/** Bytes that {@link ByteWriter.part} appends. */
export function sizedBytes(part: Part): number {
  if (part === null || part === undefined) return 1;
  const length = partBytes(part);
  return varintBytes(length) + length;
}
