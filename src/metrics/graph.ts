import { readdir, stat, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import type { StoreMemory } from '../graph/store.ts';
import type { Progress } from '../pipeline/progress.ts';
import type { PartitionLag } from '../pipeline/reading/lag.ts';

export interface WatchedGraph {
  readonly name: string;
  readonly kernel: string;
  /** Fingerprint of the model; part of the headers of every published vector. */
  readonly fingerprint: string;
  readonly maxRows: number;
  /** Every code that a record can be rejected with. */
  readonly rejections: readonly string[];
  /** Folder of the graph's stores. */
  readonly folder: string;
  progress(): Progress;
  lag(): readonly PartitionLag[];
  tableBytes(rows: number): number;
  /** Memory of the store; undefined once the store is closed. */
  storeMemory(): Promise<StoreMemory | undefined>;
  /** Why the graph is not ready; empty when the graph is ready. */
  unready(): Promise<readonly string[]>;
}

/** All values of a graph at one moment, epoch ms. */
export type GraphSnapshot = Awaited<ReturnType<typeof snapshotOf>>;

/** clock: epoch ms. */
export async function snapshotOf(graph: WatchedGraph, clock: () => number) {
  const [unready, disk, storeMemory] = await Promise.all([
    graph.unready(),
    diskOf(graph.folder),
    graph.storeMemory(),
  ]);
  const [progress, lag, now] = [graph.progress(), graph.lag(), clock()];
  return { ...progress, watched: graph, lag, ready: unready.length === 0, disk, storeMemory, now };
}

/** Bytes of a folder and of its disk. */
export interface Disk {
  /** Sum of all files under the folder. */
  readonly used: number;
  /** What an ordinary user may still write to the disk. */
  readonly free: number;
  readonly size: number;
}

/** How long a measured size counts: a store has many files, and each scrape would look at all of them. */
const SIZE_COUNTS_MS = 60_000;
const sizes = new Map<string, { readonly at: number; readonly bytes: number }>();

/** undefined when the folder does not exist or can't be read. */
export async function diskOf(folder: string): Promise<Disk | undefined> {
  try {
    const known = sizes.get(folder);
    const { at, bytes } =
      known !== undefined && Date.now() - known.at < SIZE_COUNTS_MS
        ? known
        : { at: Date.now(), bytes: await bytesIn(folder) };
    sizes.set(folder, { at, bytes });
    const { bavail, blocks, bsize } = await statfs(folder);
    return { used: bytes, free: bavail * bsize, size: blocks * bsize };
  } catch {
    // Three absent metrics show the failure; an error here would lose all other metrics.
    return undefined;
  }
}

async function bytesIn(folder: string): Promise<number> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  const bytes = await Promise.all(files.map((entry) => sizeOf(join(entry.parentPath, entry.name))));
  return bytes.reduce((sum, size) => sum + size, 0);
}

/** 0 for a file that is gone: a store deletes and replaces its files at any moment. */
async function sizeOf(path: string): Promise<number> {
  return stat(path).then(
    ({ size }) => size,
    () => 0,
  );
}
