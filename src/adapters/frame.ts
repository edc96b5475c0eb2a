import { crc32 } from 'node:zlib';

/** Bytes of a frame before its body: length u32 | crc-32 u32 of the body. Little-endian. */
export const PREFIX_BYTES = 8;

/** A body that is known to be whole when it is read back. */
export function frame(body: Uint8Array): Buffer {
  const prefix = Buffer.allocUnsafe(PREFIX_BYTES);
  prefix.writeUInt32LE(body.length, 0);
  prefix.writeUInt32LE(crc32(body), 4);
  return Buffer.concat([prefix, body]);
}

/** The body of the frame at `at`; undefined where the frame is cut off or damaged. No body is empty: zeros are no frame. */
export function framed(bytes: Buffer, at: number): Buffer | undefined {
  const start = at + PREFIX_BYTES;
  if (start > bytes.length) return undefined;
  const body = bytes.subarray(start, start + bytes.readUInt32LE(at));
  if (body.length === 0) return undefined;
  const isWhole = body.length === bytes.readUInt32LE(at) && crc32(body) === bytes.readUInt32LE(at + 4);
  return isWhole ? body : undefined;
}
