import type { Checkpoints } from './checkpoint.ts';

export interface Entry {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

/** Entries handled before the event loop gets its turn. */
const SLICE = 2048;
/** Most bytes of an operation whose place is kept, and how many of one size are made at once. */
const KEPT_BYTES = 192;
const MADE_AT_ONCE = 64;
/** Where a key's first id begins, in about all keys: see `Layout`. */
const FIRST_ID = 3;
/** Stands in place of a value's length: the key is deleted. */
export const DELETED = -1;

interface Operations {
  tryPut(key: Uint8Array, value: Uint8Array): void;
  tryDelete(key: Uint8Array): void;
}

/** Where an operation is: its key, and right after it the value; none where the key is deleted. */
interface Place {
  readonly bytes: Buffer;
  readonly key: Uint8Array;
  readonly value: Uint8Array | undefined;
}

/**
 * Puts and deletes that are written all or none. The last operation on a key wins. Keys and values are copied. RocksDB is given two
 * views of each operation, and has them until it has written: objects that die old, which is dear. So the places of small operations are
 * kept, and hold others of the same size once the batch is cleared.
 */
export class WriteBatch {
  /** By the bytes of key and value: places, of which the first `used` are taken. */
  readonly #kept = new Map<number, { readonly places: Place[]; used: number }>();
  readonly #operations: Place[] = [];
  /** Where the operation opened last is written. */
  bytes: Buffer = Buffer.alloc(0);

  /** The number of puts and deletes. */
  get size(): number {
    return this.#operations.length;
  }

  put(key: Uint8Array, value: Uint8Array): void {
    const at = this.open(key.length, value.length);
    this.bytes.set(key, at);
    this.bytes.set(value, at + key.length);
  }

  delete(key: Uint8Array): void {
    const at = this.open(key.length, DELETED);
    this.bytes.set(key, at);
  }

  /**
   * Appends an operation whose key, and right after it the value, the caller writes into `bytes` from where this says.
   * valueBytes: {@link DELETED} where the key is deleted.
   */
  open(keyBytes: number, valueBytes: number): number {
    const place = this.#take(keyBytes, valueBytes);
    this.#operations.push(place);
    this.bytes = place.bytes;
    return place.key.byteOffset;
  }

  /** Forgets all operations. */
  clear(): void {
    this.#operations.length = 0;
    for (const kept of this.#kept.values()) kept.used = 0;
  }

  /**
   * Hands over each operation, in slices. Keys come in about their order, because RocksDB inserts a key faster beside the one before;
   * operations on one key keep theirs.
   */
  async each(to: Operations): Promise<void> {
    const order = this.#order();
    for (let i = 0; i < this.size; i++) {
      const { key, value } = this.#operations[order[2 * i]!]!;
      if (value === undefined) to.tryDelete(key);
      else to.tryPut(key, value);
      if (endsSlice(i)) await nextTurn();
    }
  }

  /** [size, 2] operations by parts of their keys: kind, length and start of the first id. Sorted as one number each, without a comparator. */
  #order(): Uint32Array {
    const order = new Uint32Array(2 * this.size);
    for (let i = 0; i < this.size; i++) {
      const { key } = this.#operations[i]!;
      order[2 * i] = i;
      order[2 * i + 1] = key[0]! << 27;
      // A shorter key ends before.
      if (key.length < FIRST_ID + 4) continue;
      order[2 * i + 1]! |= (key[FIRST_ID - 1]! & 7) << 24;
      for (let id = 0; id < 4; id++) order[2 * i + 1]! |= (key[FIRST_ID + id]! & 63) << (18 - 6 * id);
    }
    new BigUint64Array(order.buffer).sort();
    return order;
  }

  #take(keyBytes: number, valueBytes: number): Place {
    if (keyBytes + valueBytes > KEPT_BYTES) return placesOf(keyBytes, valueBytes, 1)[0]!;
    const size = keyBytes * (KEPT_BYTES + 1) + valueBytes;
    let kept = this.#kept.get(size);
    if (kept === undefined) {
      kept = { places: [], used: 0 };
      this.#kept.set(size, kept);
    }
    if (kept.used === kept.places.length) kept.places.push(...placesOf(keyBytes, valueBytes, MADE_AT_ONCE));
    return kept.places[kept.used++]!;
  }
}

function placesOf(keyBytes: number, valueBytes: number, count: number): Place[] {
  const width = keyBytes + Math.max(0, valueBytes);
  const buffer = new ArrayBuffer(count * width);
  const bytes = Buffer.from(buffer);
  return Array.from({ length: count }, (_, i) => {
    const end = i * width + keyBytes;
    const value = valueBytes === DELETED ? undefined : new Uint8Array(buffer, end, valueBytes);
    return { bytes, key: new Uint8Array(buffer, i * width, keyBytes), value };
  });
}

/**
 * Whether the event loop is to have its turn after entry `i` of a loop. The body of a loop over many entries stands in the loop: V8 drops
 * the optimised code of a function that nothing holds with each major collection, and compiles it again.
 */
export function endsSlice(i: number): boolean {
  return (i + 1) % SLICE === 0;
}

export function nextTurn(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve));
}

export async function* eachOf(runs: AsyncIterable<readonly Entry[]>): AsyncIterable<Entry> {
  for await (const run of runs) for (const entry of run) yield entry;
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
  write(batch: WriteBatch): Promise<void>;
  /** The checkpoints beside it. width: numbers of a row. */
  checkpointsOf(width: number): Checkpoints;
  /** Resolves once all that was written survives a power loss. @throws FatalError as `write`. */
  sync(): Promise<void>;
  /** Only where the store can tell; undefined once the store is closed. */
  memory?(): Promise<StoreMemory | undefined>;
  /** Idempotent. */
  close(): Promise<void>;
}
