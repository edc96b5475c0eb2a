import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { constants, createZstdCompress, createZstdDecompress } from 'node:zlib';
import { syncFolder } from '../adapters/atomic-file.ts';
import { openCheckpoint, writeCheckpoint } from '../adapters/checkpoint-file.ts';
import { keepOnExit, removeOnExit } from '../adapters/leftovers.ts';
import { FatalError, reasonOf, TwhinError } from '../errors/errors.ts';
import { Census, describeDifference, differencesFrom } from '../graph/census.ts';
import type { Checkpoint } from '../graph/checkpoint.ts';
import type { GraphStore } from '../graph/graph-store.ts';
import { fingerprint, type Head } from '../graph/head.ts';
import type { Entry } from '../graph/store.ts';
import { DATA, type FileSum, FORMAT, type Manifest, PARTIAL, writeManifest } from './manifest.ts';

/*
 * The entries of a store, in the order of their keys, are one zstd stream of
 *
 *     key length u16 | value length u32 | key | value        numbers little-endian
 */
const ENTRY_HEADER_BYTES = 6;
const BLOCK_BYTES = 1024 * 1024;
/** The states of the largest commit, of 1.1 million entities, are 59 MB; a length above this is damage. */
const MAX_ENTRY_BYTES = 64 * BLOCK_BYTES;
const MAX_KEY_BYTES = 0xffff;
/** Level 1: at higher levels edges shrink no more. */
const COMPRESSION = { params: { [constants.ZSTD_c_compressionLevel]: 1 } };

/** How the names of a backup's files end. */
const KINDS = ['zst', 'checkpoint'] as const;
type Kind = (typeof KINDS)[number];

/**
 * Backs up a store into the graph's own folder. The backup before it is whole until the new manifest takes the place of its
 * manifest, in one rename; then its files are removed.
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
  try {
    await mkdir(folder, { recursive: true });
    const stored = await store.checkpoint();
    const checkpoint =
      stored &&
      (await writePartial(folder, 'checkpoint', (path) =>
        writeCheckpoint(path, stored.head, store.layout.dim + 2, stored.blocks()),
      ));
    const size = { entries: 0, bytes: 0 };
    const entries = await writePartial(folder, 'zst', (path) =>
      pipeline(
        Readable.from(blocksOf(store, head, size, onProgress)),
        createZstdCompress(COMPRESSION),
        createWriteStream(path, { flush: true }),
      ),
    );
    if (checkpoint)
      await rename(partialOf(folder, 'checkpoint'), join(folder, `${checkpoint.sha256}.checkpoint`));
    await rename(partialOf(folder, 'zst'), join(folder, `${entries.sha256}.zst`));
    await syncFolder(folder);
    const manifest: Manifest = {
      format: FORMAT,
      graph: head.graph,
      ...about,
      set: [...about.set],
      fingerprint: fingerprint(head.model),
      head,
      ...size,
      ...entries,
      ...(checkpoint && { checkpoint }),
    };
    await writeManifest(folder, manifest);
    await removeOthers(folder, manifest);
    return manifest;
  } catch (error) {
    for (const kind of KINDS) await rm(partialOf(folder, kind), { force: true }).catch(() => undefined);
    if (error instanceof TwhinError) throw error;
    throw writeFailure(folder, error);
  } finally {
    for (const kind of KINDS) keepOnExit(partialOf(folder, kind));
  }
}

/** Writes a file of a backup, which gets the name that its SHA-256 gives it once all files are whole. */
async function writePartial(
  folder: string,
  kind: Kind,
  fill: (path: string) => Promise<void>,
): Promise<FileSum> {
  const partial = partialOf(folder, kind);
  removeOnExit(partial);
  await fill(partial);
  return sumOf(partial);
}

function partialOf(folder: string, kind: Kind): string {
  return join(folder, `${kind}${PARTIAL}`);
}

async function sumOf(path: string): Promise<FileSum> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return { fileBytes: (await stat(path)).size, sha256: hash.digest('hex') };
}

/** Removes the files of all backups but this one. */
async function removeOthers(folder: string, { sha256, checkpoint }: Manifest): Promise<void> {
  const own = [`${sha256}.zst`, ...(checkpoint ? [`${checkpoint.sha256}.checkpoint`] : [])];
  try {
    for (const name of await readdir(folder))
      if (DATA.test(name) && !own.includes(name)) await rm(join(folder, name), { force: true });
  } catch (error) {
    throw new FatalError(
      'backup-write',
      `the new backup in ${folder} is whole, but the files of the previous one can't be removed: ${reasonOf(error)}. Check ` +
        `the permissions; every .zst and .checkpoint file but ${own.join(' and ')} can be removed`,
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

/**
 * Every entry of a backup, in the order of keys, some at a time. Size and SHA-256 of the file are checked before the first, the
 * number of entries and that keys ascend by the end.
 * @throws FatalError naming the file that is not as in the manifest.
 */
export async function* readBackup(folder: string, manifest: Manifest): AsyncIterable<Entry[]> {
  const path = join(folder, `${manifest.sha256}.zst`);
  try {
    await checkSum(path, manifest);
    const unpacked = createZstdDecompress();
    const read = pipeline(createReadStream(path), unpacked);
    // An error of the pipeline ends the iteration too.
    read.catch(() => undefined);
    yield* entriesOf(unpacked, manifest);
    await read;
  } catch (error) {
    throw damaged(path, error);
  }
}

/** The checkpoint of a backup; undefined where the head names none. @throws FatalError as {@link readBackup}. */
export async function openBackedUp(
  folder: string,
  { head, checkpoint }: Manifest,
): Promise<Checkpoint | undefined> {
  if (checkpoint === undefined) return undefined;
  const path = join(folder, `${checkpoint.sha256}.checkpoint`);
  try {
    await checkSum(path, checkpoint);
    return await openCheckpoint({ path, commit: head.checkpoint, width: head.model.dim + 2 });
  } catch (error) {
    throw damaged(path, error);
  }
}

async function checkSum(path: string, { fileBytes, sha256 }: FileSum): Promise<void> {
  const found = await stat(path).catch(() => undefined);
  if (found?.size !== fileBytes)
    throw new Error(
      `it is missing, or its size is not ${fileBytes} bytes; if a backup was made meanwhile, restore again`,
    );
  if ((await sumOf(path)).sha256 !== sha256) throw new Error('its SHA-256 is not its name');
}

function damaged(path: string, error: unknown): FatalError {
  return new FatalError(
    'backup-damaged',
    `${path} is damaged: ${reasonOf(error)}. Nothing was restored; use another copy of the backup, or twhin replay`,
    { cause: error },
  );
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
