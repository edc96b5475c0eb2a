import { promisify } from 'node:util';
import { createGunzip, createZstdDecompress, gunzip, zstdDecompress } from 'node:zlib';
import { uncompressSync } from 'lz4-napi';
import { uncompress } from 'snappy';
import { hasCode } from '../../../errors/errors.ts';

const gunzipWhole = promisify(gunzip);
const zstdWhole = promisify(zstdDecompress);

/**
 * The decompressed records of a batch, in parts: of gzip and zstd in one of `partBytes` where the batch fits into it, else as a
 * stream, of LZ4 and Java's snappy block by block. So a highly compressed batch takes up no more memory than any other.
 * codec: its number in the batch's attributes.
 * @throws Error when the bytes were not written by the codec.
 */
export async function* decompressed(
  packed: Buffer,
  codec: number,
  partBytes: number,
): AsyncGenerator<Buffer> {
  switch (codec) {
    case 0:
      yield packed;
      return;
    case 1:
      yield* wholeOrStream(gunzipWhole, createGunzip, packed, partBytes);
      return;
    case 2:
      yield* snappyBlocks(packed);
      return;
    case 3:
      yield* lz4Blocks(packed);
      return;
    case 4:
      yield* wholeOrStream(zstdWhole, createZstdDecompress, packed, partBytes);
      return;
    default:
      throw new Error(`compression ${codec} is not known`);
  }
}

const CHUNK_BYTES = 256 << 10;

async function* wholeOrStream(
  whole: (packed: Buffer, options: { maxOutputLength: number }) => Promise<Buffer>,
  stream: typeof createGunzip | typeof createZstdDecompress,
  packed: Buffer,
  partBytes: number,
): AsyncGenerator<Buffer> {
  let all: Buffer | undefined;
  try {
    all = await whole(packed, { maxOutputLength: partBytes });
  } catch (error) {
    if (!hasCode(error, 'ERR_BUFFER_TOO_LARGE')) throw error;
  }
  if (all !== undefined) {
    yield all;
    return;
  }
  const chunks = stream({ chunkSize: CHUNK_BYTES });
  chunks.end(packed);
  for await (const chunk of chunks) yield chunk;
}

/*
 * Snappy as Java producers write it (xerial):
 *   82 53 4e 41 50 50 59 00 | version u32be | compatible u32be | { length u32be | snappy block }...
 * Other producers write one bare block, which can only be decompressed whole, to about twenty times its size at most.
 */
const XERIAL_MAGIC = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00]);
const XERIAL_HEADER_BYTES = 16;

async function* snappyBlocks(packed: Buffer): AsyncGenerator<Buffer> {
  if (!packed.subarray(0, XERIAL_MAGIC.length).equals(XERIAL_MAGIC)) {
    yield Buffer.from(await uncompress(packed));
    return;
  }
  for (let at = XERIAL_HEADER_BYTES; at < packed.length; ) {
    const start = at + 4;
    at = start + packed.readUInt32BE(at);
    if (at > packed.length) throw new Error('a snappy block is cut off');
    yield Buffer.from(await uncompress(packed.subarray(start, at)));
  }
}

/*
 * An LZ4 frame, little-endian. A block of size 0 ends the frame; the top bit of a size says that the block is not
 * compressed. Where blocks depend on one another, each block refers to the 64 KiB before it. Its checksums are not looked
 * at, because that of the batch covers them.
 *   magic u32 | flags u8 | block size u8 | [content size u64] | [dictionary u32] | header checksum u8
 *   { size u32 | block | [checksum u32] }... | 0 u32 | [content checksum u32]
 */
const LZ4_MAGIC = 0x184d2204;
const LZ4_WINDOW_BYTES = 64 << 10;
const UNCOMPRESSED = 0x80000000;

function* lz4Blocks(packed: Buffer): Generator<Buffer> {
  if (packed.readUInt32LE(0) !== LZ4_MAGIC) throw new Error('the bytes are no LZ4 frame');
  const flags = packed.readUInt8(4);
  const [dependent, blockChecksums] = [(flags & 0x20) === 0, (flags & 0x10) !== 0];
  const blockBytes = 1 << (8 + 2 * ((packed.readUInt8(5) >> 4) & 7));
  let at = 7 + ((flags & 0x08) === 0 ? 0 : 8) + ((flags & 0x01) === 0 ? 0 : 4);
  let window = Buffer.alloc(0);
  for (;;) {
    const size = packed.readUInt32LE(at);
    if (size === 0) return;
    const start = at + 4;
    at = start + (size & ~UNCOMPRESSED);
    if (at > packed.length) throw new Error('an LZ4 block is cut off');
    const body = packed.subarray(start, at);
    const block = (size & UNCOMPRESSED) !== 0 ? body : lz4Block(body, blockBytes, window);
    yield block;
    if (dependent) window = Buffer.concat([window, block]).subarray(-LZ4_WINDOW_BYTES);
    if (blockChecksums) at += 4;
  }
}

/** Decompresses one block. The library makes room for the size in front of the block: a byte stands for 255 at most. */
function lz4Block(body: Buffer, blockBytes: number, window: Buffer): Buffer {
  const sized = Buffer.allocUnsafe(4 + body.length);
  sized.writeUInt32LE(Math.min(blockBytes, 255 * body.length), 0);
  body.copy(sized, 4);
  return window.length === 0 ? uncompressSync(sized) : uncompressSync(sized, window);
}
