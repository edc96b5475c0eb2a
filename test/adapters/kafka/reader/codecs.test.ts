import { gzipSync, zstdCompressSync } from 'node:zlib';
import fc from 'fast-check';
import { compressFrameSync, compressSync } from 'lz4-napi';
import { compressSync as snappySync } from 'snappy';
import { describe, expect, test } from 'vitest';
import { decompressed } from '../../../../src/adapters/kafka/reader/codecs.ts';
import { GZIP, LZ4, SNAPPY, ZSTD } from '../batch-bytes.ts';

const PART = 1 << 20;
/** Size of LZ4's largest block; every other codec gives smaller parts. */
const LARGEST_PART = 4 << 20;

interface Frame {
  readonly dependent?: boolean;
  readonly contentSize?: boolean;
  readonly blockChecksums?: boolean;
  readonly contentChecksum?: boolean;
  /** 4: 64 KiB, 5: 256 KiB, 6: 1 MiB, 7: 4 MiB. */
  readonly blockSize?: 4 | 5 | 6 | 7;
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

/** An LZ4 frame as its specification lays it out, with checksums that nobody looks at. */
function lz4Frame(plain: Buffer, frame: Frame = {}): Buffer {
  const { dependent, contentSize, blockChecksums, contentChecksum, blockSize = 4 } = frame;
  const flags =
    0x40 |
    (dependent ? 0 : 0x20) |
    (blockChecksums ? 0x10 : 0) |
    (contentSize ? 8 : 0) |
    (contentChecksum ? 4 : 0);
  const size = Buffer.alloc(contentSize ? 8 : 0);
  if (contentSize) size.writeBigUInt64LE(BigInt(plain.length));
  const descriptor = Buffer.concat([Buffer.from([flags, blockSize << 4]), size]);
  const parts = [u32(0x184d2204), descriptor, Buffer.of(7)];
  const blockBytes = 1 << (8 + 2 * blockSize);
  for (let at = 0; at < plain.length; at += blockBytes) {
    const block = plain.subarray(at, at + blockBytes);
    const window = dependent ? plain.subarray(Math.max(0, at - 65_536), at) : Buffer.alloc(0);
    // The library writes the size in front of the block.
    const packed = (window.length > 0 ? compressSync(block, window) : compressSync(block)).subarray(4);
    const body = packed.length < block.length ? packed : block;
    parts.push(u32(body === block ? (block.length | 0x80000000) >>> 0 : body.length), body);
    if (blockChecksums) parts.push(u32(7));
  }
  parts.push(u32(0));
  if (contentChecksum) parts.push(u32(7));
  return Buffer.concat(parts);
}

/** Snappy as Java's producer writes it: a header, then blocks of 32 KiB. */
function xerial(plain: Buffer): Buffer {
  const parts: Buffer[] = [
    Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0, 0, 0, 0, 1, 0, 0, 0, 1]),
  ];
  for (let at = 0; at < plain.length; at += 32_768) {
    const block = snappySync(plain.subarray(at, at + 32_768));
    const length = Buffer.alloc(4);
    length.writeUInt32BE(block.length);
    parts.push(length, block);
  }
  return Buffer.concat(parts);
}

/** The number of each codec, and its compressor. */
const PACKED: Readonly<Record<string, readonly [number, (plain: Buffer) => Buffer]>> = {
  none: [0, (plain) => plain],
  gzip: [GZIP, gzipSync],
  'snappy in one block': [SNAPPY, snappySync],
  "snappy as Java's producer writes it": [SNAPPY, xerial],
  'lz4 of the library': [LZ4, (plain) => compressFrameSync(plain)],
  'lz4 of the library with checksums': [
    LZ4,
    (plain) => compressFrameSync(plain, { contentChecksum: true, blockChecksums: true }),
  ],
  'lz4, independent blocks': [LZ4, (plain) => lz4Frame(plain)],
  'lz4, independent blocks of 256 KiB with their checksums': [
    LZ4,
    (plain) => lz4Frame(plain, { blockSize: 5, blockChecksums: true }),
  ],
  'lz4, independent blocks of 4 MiB with the size and checksum of the content': [
    LZ4,
    (plain) => lz4Frame(plain, { blockSize: 7, contentSize: true, contentChecksum: true }),
  ],
  'lz4, blocks that depend on one another': [LZ4, (plain) => lz4Frame(plain, { dependent: true })],
  'lz4, blocks that depend on one another, with everything': [
    LZ4,
    (plain) =>
      lz4Frame(plain, {
        dependent: true,
        contentSize: true,
        blockChecksums: true,
        contentChecksum: true,
        blockSize: 6,
      }),
  ],
  zstd: [ZSTD, zstdCompressSync],
};

/** Bytes that compress to about half: later blocks repeat earlier ones, and some bytes in between do not compress. */
function textOf(bytes: number): Buffer {
  const plain = Buffer.alloc(bytes);
  let state = 12_345;
  for (let at = 0; at < bytes; at++) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    const random = state >>> 24;
    plain[at] =
      (at >>> 16) % 5 === 3 ? random : at > 40_000 && random < 200 ? plain[at - 40_000]! : random & 15;
  }
  return plain;
}

async function partsOf(packed: Buffer, codec: number, partBytes = PART): Promise<Buffer[]> {
  return Array.fromAsync(decompressed(packed, codec, partBytes));
}

describe.each(Object.entries(PACKED))('%s', (_, [codec, pack]) => {
  test.each([1, 1_000, 65_536, 65_537, PART - 1, PART, PART + 1, 6_000_000])(
    'gives back %i bytes',
    async (bytes) => {
      const plain = textOf(bytes);
      const parts = await partsOf(pack(plain), codec);
      expect(Buffer.concat(parts).equals(plain)).toBe(true);
      if (codec === GZIP || codec === LZ4 || codec === ZSTD) {
        for (const part of parts) expect(part.length).toBeLessThanOrEqual(LARGEST_PART);
      }
    },
  );

  test('gives back bytes that compress to almost nothing', async () => {
    for (const bytes of [20_000, 9_000_000]) {
      const parts = await partsOf(pack(Buffer.alloc(bytes, 'x')), codec);
      expect(Buffer.concat(parts).equals(Buffer.alloc(bytes, 'x'))).toBe(true);
    }
  });

  test('gives back any bytes in parts of any size', async () => {
    const any = fc
      .tuple(fc.uint8Array({ minLength: 1, maxLength: 3_000 }), fc.integer({ min: 1, max: 60 }))
      .map(([bytes, times]) => Buffer.concat(Array.from({ length: times }, () => bytes)));
    await fc.assert(
      fc.asyncProperty(any, fc.integer({ min: 1, max: 50_000 }), async (plain, partBytes) => {
        const parts = await partsOf(pack(plain), codec, partBytes);
        expect(Buffer.concat(parts).equals(plain)).toBe(true);
      }),
      { numRuns: 40 },
    );
  });
});

test.each(Object.entries(PACKED).filter(([, [codec]]) => codec !== 0))(
  '%s: bytes that end too early are refused',
  async (_, [codec, pack]) => {
    for (const bytes of [2_000, 5_000_000]) {
      const packed = pack(textOf(bytes));
      await expect(partsOf(packed.subarray(0, packed.length - 40), codec)).rejects.toThrow();
    }
  },
);

test.each([1, 2, 3, 4])('bytes that codec %i did not write are refused', async (codec) => {
  for (const bytes of [50, 3_000_000]) {
    await expect(partsOf(Buffer.alloc(bytes, 7), codec)).rejects.toThrow();
  }
});

test('an unknown codec is refused, with its number', async () => {
  await expect(partsOf(Buffer.alloc(10), 5)).rejects.toThrow('compression 5 is not known');
});

test('a large batch is decompressed part by part, as its parts are asked for', async () => {
  for (const [codec, packed] of [
    [GZIP, gzipSync(textOf(6_000_000))],
    [ZSTD, zstdCompressSync(textOf(6_000_000))],
    [LZ4, lz4Frame(textOf(6_000_000))],
  ] as const) {
    const parts = decompressed(packed, codec, PART);
    const first = await parts.next();
    expect(first.value?.length).toBeLessThanOrEqual(PART);
    await parts.return(undefined);
    expect((await parts.next()).done).toBe(true);
  }
});
