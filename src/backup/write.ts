import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { constants, zstdCompress } from 'node:zlib';
import { FatalError } from '../errors/errors.ts';
import type { GraphStore } from '../graph/graph-store.ts';
import { fingerprint } from '../graph/head.ts';
import { Census } from './census.ts';
import { ChunkBuilder } from './chunk.ts';
import { readSized, sha256, syncFolder, writeFailure, writeWhole } from './files.ts';
import { CHUNKS, type Chunk, FORMAT, type Manifest, writeManifest } from './manifest.ts';

const compress = promisify(zstdCompress);
/** Level 1: vectors hardly shrink whatever the level, and edges shrink as much as with the next ones. */
const COMPRESSION = { params: { [constants.ZSTD_c_compressionLevel]: 1 } };

/** What a backup came to. */
export interface Backup {
  readonly manifest: Manifest;
  /** Chunks that were not there, and the bytes of their files. */
  readonly written: { readonly chunks: number; readonly bytes: number };
  /** Chunks no longer named, and files left by backups that did not end. */
  readonly removed: number;
}

/**
 * Backs a store up into a folder of its graph's own, beside chunks of earlier backups. Until it is done the manifest
 * that was there is good; ended early, what was written is found again by the next one.
 * store: a view that nobody writes to. at: ISO 8601. onProgress: entries read so far.
 * @throws FatalError when the store is not what its head says, or the folder can't be written.
 */
export async function writeBackup(
  folder: string,
  store: GraphStore,
  about: { readonly store: string; readonly at: string; readonly set: readonly string[] },
  onProgress: (entries: number) => void = () => {},
): Promise<Backup> {
  const head = await store.head();
  if (head === undefined) {
    throw new FatalError('backup-empty', 'the store has no commit yet, so there is nothing to back up');
  }
  const chunksFolder = join(folder, CHUNKS);
  await mkdir(chunksFolder, { recursive: true }).catch((error: unknown) => {
    throw writeFailure(chunksFolder, error);
  });
  const census = new Census(store.layout);
  const builder = new ChunkBuilder();
  const chunks: Chunk[] = [];
  const written = { chunks: 0, bytes: 0 };
  let [entries, bytes] = [0, 0];
  const end = async () => {
    if (builder.entries === 0) return;
    const packed = await compress(builder.bytes, COMPRESSION);
    const chunk = {
      sha256: sha256(packed),
      fileBytes: packed.length,
      bytes: builder.bytes.length,
      entries: builder.entries,
    };
    if (await writeMissing(join(chunksFolder, chunk.sha256), packed)) {
      written.chunks++;
      written.bytes += packed.length;
    }
    chunks.push(chunk);
    entries += chunk.entries;
    bytes += chunk.bytes;
    builder.clear();
    onProgress(entries);
  };
  for await (const entry of store.entries.scan(new Uint8Array())) {
    census.add(entry);
    if (!builder.add(entry)) {
      await end();
      builder.add(entry);
    }
    if (builder.ends) await end();
  }
  await end();
  const differing = census.differences(head);
  if (differing.length > 0) {
    throw new FatalError(
      'backup-inconsistent',
      `the store is not what its head says: ${differing.join('; ')}. It was not backed up, for it could not be ` +
        'restored; see twhin check',
    );
  }
  await syncFolder(chunksFolder);
  const manifest = {
    format: FORMAT,
    graph: head.graph,
    ...{ store: about.store, at: about.at, fingerprint: fingerprint(head.model), set: [...about.set] },
    ...{ head, entries, bytes, chunks },
  } as const;
  await writeManifest(folder, manifest);
  await syncFolder(folder);
  return { manifest, written, removed: await removeOthers(chunksFolder, chunks) };
}

/** Writes a chunk unless it is there as it should be. Gives whether it wrote. */
async function writeMissing(path: string, packed: Buffer): Promise<boolean> {
  const there = await readSized(path, packed.length);
  if (there?.equals(packed)) return false;
  await writeWhole(path, packed);
  return true;
}

/** Removes chunks that the manifest does not name. */
async function removeOthers(folder: string, chunks: readonly Chunk[]): Promise<number> {
  const named = new Set(chunks.map(({ sha256: name }) => name));
  const others = (await readdir(folder)).filter((name) => !named.has(name));
  for (const name of others) await rm(join(folder, name), { force: true });
  return others.length;
}
