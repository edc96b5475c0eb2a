import { createHash, type Hash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { constants, createZstdCompress, createZstdDecompress } from 'node:zlib';
import { syncFolder } from '../adapters/atomic-file.ts';
import { keepOnExit, removeOnExit } from '../adapters/leftovers.ts';
import { FatalError, reasonOf, TwhinError } from '../errors/errors.ts';
import { Census, describeDifference, differencesFrom } from '../graph/census.ts';
import type { GraphStore } from '../graph/graph-store.ts';
import { fingerprint, type Head } from '../graph/head.ts';
import type { Entry } from '../graph/store.ts';
import { ENTRIES, entriesFile, FORMAT, type Manifest, PARTIAL, writeManifest } from './manifest.ts';

/*
 * The entries of a store, in the order of their keys, are one zstd stream of
 *
 *     key length u16 | value length u32 | key | value        numbers little-endian
 */
const ENTRY_HEADER_BYTES = 6;
const BLOCK_BYTES = 1024 * 1024;
/** No entry of a store is near this size; a length above it is damage. */
const MAX_ENTRY_BYTES = 16 * BLOCK_BYTES;
const MAX_KEY_BYTES = 0xffff;
/** Level 1: at higher levels vectors hardly shrink, and edges shrink no more. */
const COMPRESSION = { params: { [constants.ZSTD_c_compressionLevel]: 1 } };

/**
 * Backs up a store into the graph's own folder. The backup before it is whole until the new manifest takes the place of its
 * manifest, in one rename; then its entries are removed.
 * store: a view that does not change. at: ISO 8601. onProgress: entries read so far.
 * @throws FatalError when the store does not match its head, or the folder can't be written.
 */
export async function writeBackup(
  folder: string,
  store: GraphStore,
  about: { readonly store: string; readonly at: string; readonly set: readonly string[] },
  onProgress: (entries: number) => void = () => {},
): Promise<Manifest> {
  const head = await store.head();
  if (head === undefined)
    throw new FatalError('store-missing', 'the store has no commit yet: there is nothing to back up');
  const partial = join(folder, `entries${PARTIAL}`);
  removeOnExit(partial);
  try {
    await mkdir(folder, { recursive: true });
    const hash = createHash('sha256');
    const size = { entries: 0, bytes: 0, fileBytes: 0 };
    await pipeline(
      Readable.from(blocksOf(store, head, size, onProgress)),
      createZstdCompress(COMPRESSION),
      (packed: AsyncIterable<Buffer>) => hashed(packed, hash, size),
      createWriteStream(partial, { flush: true }),
    );
    const sha256 = hash.digest('hex');
    await rename(partial, join(folder, entriesFile(sha256)));
    await syncFolder(folder);
    const manifest: Manifest = {
      format: FORMAT,
      graph: head.graph,
      ...about,
      set: [...about.set],
      fingerprint: fingerprint(head.model),
      head,
      ...size,
      sha256,
    };
    await writeManifest(folder, manifest);
    await syncFolder(folder);
    await removeOthers(folder, entriesFile(sha256));
    return manifest;
  } catch (error) {
    await rm(partial, { force: true }).catch(() => undefined);
    if (error instanceof TwhinError) throw error;
    throw writeFailure(folder, error);
  } finally {
    keepOnExit(partial);
  }
}

/** Removes the entries of all backups but this one. */
async function removeOthers(folder: string, own: string): Promise<void> {
  try {
    for (const name of await readdir(folder))
      if (ENTRIES.test(name) && name !== own) await rm(join(folder, name), { force: true });
  } catch (error) {
    throw new FatalError(
      'backup-write',
      `the new backup in ${folder} is whole, but the entries of the previous one can't be removed: ${reasonOf(error)}. Check ` +
        `the permissions; every .zst file but ${own} can be removed`,
      { cause: error },
    );
  }
}

export function writeFailure(path: string, error: unknown): FatalError {
  return new FatalError(
    'backup-write',
    `${path} can't be written: ${reasonOf(error)}. The previous backup is unchanged; free space or repair the disk, then back up again.`,
    { cause: error },
  );
}

/** The entries of a store as bytes, counted in `size`. @throws FatalError `backup-inconsistent` where the head counts others. */
async function* blocksOf(
  store: GraphStore,
  head: Head,
  size: { entries: number; bytes: number },
  onProgress: (entries: number) => void,
): AsyncIterable<Buffer> {
  const census = new Census(store.layout);
  let block = Buffer.allocUnsafe(BLOCK_BYTES);
  let at = 0;
  for await (const entry of store.entries.scan(new Uint8Array())) {
    const { key, value } = entry;
    census.add(entry);
    const bytes = ENTRY_HEADER_BYTES + key.length + value.length;
    if (bytes > MAX_ENTRY_BYTES || key.length > MAX_KEY_BYTES) {
      throw new FatalError(
        'backup-inconsistent',
        `an entry of ${key.length} + ${value.length} bytes is too large for a backup; see twhin check`,
      );
    }
    if (at + bytes > block.length) {
      yield block.subarray(0, at);
      onProgress(size.entries);
      block = Buffer.allocUnsafe(Math.max(BLOCK_BYTES, bytes));
      at = 0;
    }
    block.writeUInt16LE(key.length, at);
    block.writeUInt32LE(value.length, at + 2);
    block.set(key, at + ENTRY_HEADER_BYTES);
    block.set(value, at + ENTRY_HEADER_BYTES + key.length);
    at += bytes;
    size.entries++;
    size.bytes += bytes;
  }
  const differing = differencesFrom(head, census.counted).map(describeDifference);
  if (differing.length > 0) {
    throw new FatalError(
      'backup-inconsistent',
      `the store does not match its head: ${differing.join('; ')}. It was not backed up, since it could not be restored; see twhin check`,
    );
  }
  yield block.subarray(0, at);
  onProgress(size.entries);
}

async function* hashed(
  packed: AsyncIterable<Buffer>,
  hash: Hash,
  size: { fileBytes: number },
): AsyncIterable<Buffer> {
  for await (const bytes of packed) {
    hash.update(bytes);
    size.fileBytes += bytes.length;
    yield bytes;
  }
}

/**
 * Every entry of a backup, in the order of keys, some at a time. That all of them are as they were written is known at the end:
 * size and SHA-256 of the file, number of entries, and that keys ascend.
 * @throws FatalError naming the file that is not as in the manifest.
 */
export async function* readBackup(folder: string, manifest: Manifest): AsyncIterable<Entry[]> {
  const path = join(folder, entriesFile(manifest.sha256));
  try {
    const found = await stat(path).catch(() => undefined);
    if (found?.size !== manifest.fileBytes)
      throw new Error(
        `it is missing, or its size is not ${manifest.fileBytes} bytes; if a backup was made meanwhile, restore again`,
      );
    const hash = createHash('sha256');
    const file = createReadStream(path);
    file.on('data', (bytes) => hash.update(bytes));
    const unpacked = createZstdDecompress();
    const read = pipeline(file, unpacked);
    // An error of the pipeline ends the iteration too.
    read.catch(() => undefined);
    yield* entriesOf(unpacked, manifest);
    await read;
    if (hash.digest('hex') !== manifest.sha256) throw new Error('its SHA-256 is not its name');
  } catch (error) {
    throw new FatalError(
      'backup-damaged',
      `${path} is damaged: ${reasonOf(error)}. Nothing was restored; use another copy of the backup, or twhin replay`,
      { cause: error },
    );
  }
}

async function* entriesOf(
  unpacked: AsyncIterable<Buffer>,
  { entries, bytes }: Manifest,
): AsyncIterable<Entry[]> {
  let rest: Buffer = Buffer.alloc(0);
  let last: Uint8Array | undefined;
  let [found, total] = [0, 0];
  for await (const block of unpacked) {
    total += block.length;
    if (total > bytes) throw new Error(`it holds more than the ${bytes} bytes that the manifest says`);
    rest = rest.length === 0 ? block : Buffer.concat([rest, block]);
    const run: Entry[] = [];
    let at = 0;
    while (at + ENTRY_HEADER_BYTES <= rest.length) {
      const keyEnd = at + ENTRY_HEADER_BYTES + rest.readUInt16LE(at);
      const end = keyEnd + rest.readUInt32LE(at + 2);
      if (end - at > MAX_ENTRY_BYTES) throw new Error(`entry ${found} has ${end - at} bytes`);
      if (end > rest.length) break;
      const key = rest.subarray(at + ENTRY_HEADER_BYTES, keyEnd);
      if (last !== undefined && Buffer.compare(last, key) >= 0) throw new Error('its keys do not ascend');
      last = key;
      run.push({ key, value: rest.subarray(keyEnd, end) });
      found++;
      at = end;
    }
    rest = rest.subarray(at);
    if (run.length > 0) yield run;
  }
  if (rest.length > 0) throw new Error('its last entry is cut');
  if (found !== entries || total !== bytes)
    throw new Error(`it holds ${found} entries in ${total} bytes, the manifest says ${entries} in ${bytes}`);
}
