import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openBackedUp, readBackup } from '../../src/backup/backup.ts';
import { type Manifest, manifestText } from '../../src/backup/manifest.ts';
import type { CheckpointBlock } from '../../src/graph/checkpoint.ts';
import type { GraphStore } from '../../src/graph/graph-store.ts';
import { WriteBatch } from '../../src/graph/write-batch.ts';
import { filled } from '../graph/check/check-fixture.ts';
import { scanned } from '../graph/store-conformance.ts';

export const ABOUT = { store: 'main', at: '2030-01-01T00:00:00.000Z', set: ['dim=2'] };

/** A store of several blocks of entries: a small graph, and 20 MB under keys that no graph has. */
export async function large(): Promise<GraphStore> {
  const store = await filled();
  const batch = new WriteBatch();
  for (let row = 100; row < 33_000; row++) {
    const value = Buffer.alloc(600);
    for (let i = 0; i < 600; i += 4) value.writeUInt32LE(Math.imul(row * 601 + i, 0x9e3779b1) >>> 0, i);
    batch.put(Buffer.from(`q${row}`), value);
  }
  await store.entries.write(batch);
  return store;
}

export const everything = (store: GraphStore) => scanned(store.entries.scan(new Uint8Array()));

/** The entries of a backup, as from {@link everything}. */
export async function read(path: string, manifest: Manifest): Promise<[string, string][]> {
  const found: [string, string][] = [];
  for await (const entries of readBackup(path, manifest)) {
    for (const { key, value } of entries)
      found.push([Buffer.from(key).toString('hex'), Buffer.from(value).toString('hex')]);
  }
  return found;
}

/** The blocks of a backup's checkpoint. */
export async function readCheckpoint(path: string, manifest: Manifest): Promise<CheckpointBlock[]> {
  await using checkpoint = await openBackedUp(path, manifest);
  return checkpoint ? await Array.fromAsync(checkpoint.blocks(), plain) : [];
}

export const checkpointOf = async (store: GraphStore) =>
  Array.fromAsync((await store.checkpoint())!.blocks(), plain);

/** Bytes in an array of their own kind, whatever view of them there was. */
function plain({ types, trained, ...rest }: CheckpointBlock): CheckpointBlock {
  return { ...rest, types: Uint8Array.from(types), trained: Uint8Array.from(trained) };
}

/** Changes the manifest and its checksum to match. */
export async function forge(path: string, change: (manifest: Manifest) => object): Promise<void> {
  const file = join(path, 'manifest.json');
  const { checksum: _, ...manifest } = JSON.parse(await readFile(file, 'utf8'));
  await writeFile(file, manifestText(change(manifest)));
}
