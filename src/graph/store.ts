export interface Entry {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

/** Puts and deletes that are written together or not at all. Later operations on a key win. */
export class WriteBatch {
  readonly keys: Uint8Array[] = [];
  /** undefined: the key is deleted. */
  readonly values: (Uint8Array | undefined)[] = [];

  get size(): number {
    return this.keys.length;
  }

  put(key: Uint8Array, value: Uint8Array): void {
    this.keys.push(key);
    this.values.push(value);
  }

  delete(key: Uint8Array): void {
    this.keys.push(key);
    this.values.push(undefined);
  }
}

/** What runs of entries hold, one by one. */
export async function* eachOf(runs: AsyncIterable<readonly Entry[]>): AsyncIterable<Entry> {
  for await (const run of runs) for (const entry of run) yield entry;
}

/** What a store has in memory, in bytes. */
export interface StoreMemory {
  /** Blocks of its files that were read. */
  readonly cache: number;
  /** Writes that are not in a file of their own yet. */
  readonly memtables: number;
  /** Indexes and filters of its open files, outside of the cache. */
  readonly readers: number;
}

/** An ordered map from bytes to bytes on which a graph is laid out. One keyspace, ordered by unsigned bytes. */
export interface Store {
  /** Values in the order of `keys`; undefined where there is none. */
  getMany(keys: readonly Uint8Array[]): Promise<(Uint8Array | undefined)[]>;
  /**
   * Entries whose key starts with `prefix` (every one where it is empty), ascending, as of some moment no earlier than
   * the call. @throws FatalError when they can't be read, damaged ones included.
   */
  scan(prefix: Uint8Array): AsyncIterable<Entry>;
  /** The same, as many at a time as have come: for millions, of which one by one each would be waited for. */
  runs(prefix: Uint8Array): AsyncIterable<readonly Entry[]>;
  /**
   * Resolves once the whole batch would survive the death of the process.
   * @throws FatalError when it can't be written (disk full, read-only): then nothing of it was.
   */
  write(batch: WriteBatch): Promise<void>;
  /** Of stores that can tell; undefined once it is closed. */
  memory?(): Promise<StoreMemory | undefined>;
  /** Idempotent. */
  close(): Promise<void>;
}
