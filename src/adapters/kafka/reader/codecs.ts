import { promisify } from 'node:util';
import { gunzip, zstdCompress, zstdDecompress } from 'node:zlib';
import kafkajs from 'kafkajs';
import { compressFrame, decompressFrame } from 'lz4-napi';
import { compress, uncompress } from 'snappy';

interface Codec {
  compress(encoder: { buffer: Buffer }): Promise<Buffer>;
  decompress(buffer: Buffer): Promise<Buffer>;
}

/*
 * What Java producers write for snappy (xerial):
 *   82 53 4e 41 50 50 59 00 | version u32be | compatible u32be | { length u32be | snappy block }...
 */
const XERIAL_MAGIC = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00]);
const XERIAL_HEADER_BYTES = 16;

const snappy: Codec = {
  // A bare block: brokers and the Java client read it as well as the framed form.
  compress: ({ buffer }) => compress(buffer),
  async decompress(buffer) {
    if (!buffer.subarray(0, XERIAL_MAGIC.length).equals(XERIAL_MAGIC)) {
      return Buffer.from(await uncompress(buffer));
    }
    const blocks: Buffer[] = [];
    for (let at = XERIAL_HEADER_BYTES; at < buffer.length; ) {
      const start = at + 4;
      at = start + buffer.readUInt32BE(at);
      blocks.push(Buffer.from(await uncompress(buffer.subarray(start, at))));
    }
    return Buffer.concat(blocks);
  },
};

const lz4: Codec = {
  compress: ({ buffer }) => compressFrame(buffer),
  decompress: (buffer) => decompressFrame(buffer),
};

const zstdCompressed = promisify(zstdCompress);
const zstdDecompressed = promisify(zstdDecompress);
const zstd: Codec = {
  compress: ({ buffer }) => zstdCompressed(buffer),
  decompress: (buffer) => zstdDecompressed(buffer),
};

/** Teaches kafkajs, which brings only gzip, the other codecs a topic may hold. Doing it twice changes nothing. */
export function registerCodecs(): void {
  const { CompressionCodecs, CompressionTypes } = kafkajs;
  CompressionCodecs[CompressionTypes.Snappy] = () => snappy;
  CompressionCodecs[CompressionTypes.LZ4] = () => lz4;
  CompressionCodecs[CompressionTypes.ZSTD] = () => zstd;
}

/** By the number that a record batch carries. */
const DECOMPRESS: Readonly<Record<number, (packed: Buffer) => Promise<Buffer>>> = {
  1: promisify(gunzip),
  2: snappy.decompress,
  3: lz4.decompress,
  4: zstd.decompress,
};

/** The records of a batch as they were before compression `type`. */
export async function decompress(packed: Buffer, type: number): Promise<Buffer> {
  const codec = DECOMPRESS[type];
  if (codec === undefined) {
    throw new Error(`compression ${type} is not known`);
  }
  return codec(packed);
}
