import { promisify } from 'node:util';
import { zstdCompress, zstdDecompress } from 'node:zlib';
import kafkajs from 'kafkajs';
import { compressFrame, decompressFrame } from 'lz4-napi';
import { compress, uncompress } from 'snappy';

const packZstd = promisify(zstdCompress);
const unpackZstd = promisify(zstdDecompress);

const { CompressionCodecs, CompressionTypes } = kafkajs;

/** Adds snappy (as one block), LZ4 and zstd to kafkajs, which comes with gzip alone. */
export function registerCodecs(): void {
  CompressionCodecs[CompressionTypes.Snappy] = () => ({
    compress: ({ buffer }: { buffer: Buffer }) => compress(buffer),
    decompress: async (packed: Buffer) => Buffer.from(await uncompress(packed)),
  });
  CompressionCodecs[CompressionTypes.LZ4] = () => ({
    compress: ({ buffer }: { buffer: Buffer }) => compressFrame(buffer),
    decompress: (packed: Buffer) => decompressFrame(packed),
  });
  CompressionCodecs[CompressionTypes.ZSTD] = () => ({
    compress: ({ buffer }: { buffer: Buffer }) => packZstd(buffer),
    decompress: (packed: Buffer) => unpackZstd(packed),
  });
}
