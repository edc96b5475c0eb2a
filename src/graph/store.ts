import type { Checkpoints } from './checkpoint.ts';

export interface Entry {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

export async function* eachOf(runs: AsyncIterable<readonly Entry[]>): AsyncIterable<Entry> {
  for await (const run of runs) for (const entry of run) yield entry;
}

/** What takes the operations of a batch, one by one. */
export interface Operations {
  tryPut(key: Uint8Array, value: Uint8Array): void;
  tryDelete(key: Uint8Array): void;
}

/** Puts and deletes that are written all or none. The last operation on a key wins. */
export interface Batch {
  /** The number of puts and deletes. */
  readonly size: number;
  /** Hands over each operation. Keys and values are the batch's memory, and stay as they are until the batch is cleared. */
  each(to: Operations): Promise<void>;
}

/** Memory of a store, in bytes. */
export interface StoreMemory {
  /** Cached blocks of files. */
  readonly cache: number;
  /** Writes not yet flushed to a file. */
  readonly memtables: number;
  /** Indexes and filters of open files, outside of the cache. */
  readonly readers: number;
}

/** An ordered map from bytes to bytes that holds a graph. One keyspace, ordered by unsigned bytes. */
export interface Store {
  /** Values in the order of `keys`, each as bytes or as latin1 text, a character for each byte; undefined where there is none. */
  getMany(keys: readonly (Uint8Array | string)[]): Promise<(Uint8Array | undefined)[]>;
  /**
   * Entries whose key starts with `prefix` (all entries where it is empty), ascending, as of one moment not earlier than
   * the call. @throws FatalError when entries can't be read or are damaged.
   */
  scan(prefix: Uint8Array): AsyncIterable<Entry>;
  /** The same entries in arrays, as many as have been read: a scan of millions must not await each entry. */
  runs(prefix: Uint8Array): AsyncIterable<readonly Entry[]>;
  /**
   * Resolves once the whole batch survives the death of the process.
   * @throws FatalError when the batch can't be written (disk full, read-only); then nothing was written.
   */
  write(batch: Batch): Promise<void>;
  /** The checkpoints beside it. width: numbers of a row. */
  checkpointsOf(width: number): Checkpoints;
  /** Resolves once all that was written survives a power loss. @throws FatalError as `write`. */
  sync(): Promise<void>;
  /** Only where the store can tell; undefined once the store is closed. */
  memory?(): Promise<StoreMemory | undefined>;
  /** Idempotent. */
  close(): Promise<void>;
}
