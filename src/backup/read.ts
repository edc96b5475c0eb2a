import { join } from 'node:path';
import { promisify } from 'node:util';
import { zstdDecompress } from 'node:zlib';
import { FatalError, reasonOf } from '../errors/errors.ts';
import type { Entry } from '../graph/store.ts';
import { entriesOf } from './chunk.ts';
import { readSized, sha256 } from './files.ts';
import { CHUNKS, type Chunk, type Manifest } from './manifest.ts';

const decompress = promisify(zstdDecompress);

/**
 * Every entry of a backup, in the order of keys, a chunk at a time. Each chunk is checked before its entries are given:
 * size and hash of the file, size and number of entries, and that keys ascend throughout.
 * @throws FatalError naming the file that is not as in the manifest.
 */
export async function* readBackup(folder: string, manifest: Manifest): AsyncIterable<Entry[]> {
  let last: Uint8Array | undefined;
  let count = 0;
  for (const chunk of manifest.chunks) {
    const path = join(folder, CHUNKS, chunk.sha256);
    const entries = await readChunk(path, chunk);
    for (const { key } of entries) {
      if (last !== undefined && Buffer.compare(last, key) >= 0) throw damaged(path, 'its keys do not ascend');
      last = key;
    }
    count += entries.length;
    yield entries;
  }
  if (count !== manifest.entries)
    throw damaged(folder, `its chunks hold ${count} entries, the manifest says ${manifest.entries}`);
}

async function readChunk(path: string, chunk: Chunk): Promise<Entry[]> {
  const packed = await readSized(path, chunk.fileBytes);
  if (packed === undefined) throw damaged(path, `it is missing, or its size is not ${chunk.fileBytes} bytes`);
  if (sha256(packed) !== chunk.sha256) throw damaged(path, 'its SHA-256 is not its name');
  let bytes: Buffer;
  let entries: Entry[];
  try {
    bytes = await decompress(packed, { maxOutputLength: Math.max(chunk.bytes, 1) });
    entries = [...entriesOf(bytes)];
  } catch (error) {
    throw damaged(path, reasonOf(error), error);
  }
  if (bytes.length !== chunk.bytes || entries.length !== chunk.entries) {
    throw damaged(
      path,
      `it holds ${entries.length} entries in ${bytes.length} bytes, the manifest says ${chunk.entries} in ${chunk.bytes}`,
    );
  }
  return entries;
}

function damaged(path: string, reason: string, cause?: unknown): FatalError {
  return new FatalError(
    'backup-damaged',
    `${path} is damaged: ${reason}. Nothing was restored; use another copy of the backup, or twhin replay`,
    { cause },
  );
}
