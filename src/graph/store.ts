import type { Checkpoints } from './checkpoint.ts';

export interface Entry {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

/** Entries handled before the event loop gets its turn. */
const SLICE = 2048;
/** Bytes and operations that a new batch has room for. */
const FIRST_BYTES = 4096;
const FIRST_OPERATIONS = 64;
/** Where a key's first id begins, in about all keys: see `Layout`. */
const FIRST_ID = 3;
/** Stands in place of a value's length: the key is deleted. */
export const DELETED = -1;

interface Operations {
  tryPut(key: Uint8Array, value: Uint8Array): void;
  tryDelete(key: Uint8Array): void;
}

/** Puts and deletes that are written all or none. The last operation on a key wins. Keys and values are copied. */
export class WriteBatch {
  #bytes = Buffer.from(new ArrayBuffer(FIRST_BYTES));
  /** [size, 3] where each key is, its length, and the length of the value right after it. */
  #places = new Int32Array(3 * FIRST_OPERATIONS);
  #size = 0;
  #end = 0;

  /** The number of puts and deletes. */
  get size(): number {
    return this.#size;
  }

  put(key: Uint8Array, value: Uint8Array): void {
    const at = this.open(key.length, value.length);
    this.#bytes.set(key, at);
    this.#bytes.set(value, at + key.length);
  }

  delete(key: Uint8Array): void {
    const at = this.open(key.length, DELETED);
    this.#bytes.set(key, at);
  }

  /**
   * Appends an operation whose key, and right after it the value, the caller writes into `bytes` from where this says.
   * valueBytes: {@link DELETED} where the key is deleted.
   */
  open(keyBytes: number, valueBytes: number): number {
    const at = this.#end;
    this.#reserve(keyBytes + Math.max(0, valueBytes));
    this.#end += keyBytes + Math.max(0, valueBytes);
    const place = 3 * this.#size++;
    this.#places[place] = at;
    this.#places[place + 1] = keyBytes;
    this.#places[place + 2] = valueBytes;
    return at;
  }

  /** Other memory once another operation is opened. */
  get bytes(): Buffer {
    return this.#bytes;
  }

  /**
   * Hands over each operation, in slices, as views of the batch's memory. Keys come in about their order, because RocksDB inserts a key
   * faster beside the one before; operations on one key keep theirs.
   */
  async each(to: Operations): Promise<void> {
    const [{ buffer }, places, order] = [this.#bytes, this.#places, this.#order()];
    for (let i = 0; i < this.#size; i++) {
      const place = 3 * order[2 * i]!;
      const key = new Uint8Array(buffer, places[place]!, places[place + 1]!);
      const length = places[place + 2]!;
      if (length === DELETED) to.tryDelete(key);
      else to.tryPut(key, new Uint8Array(buffer, places[place]! + key.length, length));
      if (endsSlice(i)) await nextTurn();
    }
  }

  /** [size, 2] operations by parts of their keys: kind, length and start of the first id. Sorted as one number each, without a comparator. */
  #order(): Uint32Array {
    const [bytes, places] = [this.#bytes, this.#places];
    const order = new Uint32Array(2 * this.#size);
    for (let i = 0; i < this.#size; i++) {
      const at = places[3 * i]!;
      order[2 * i] = i;
      order[2 * i + 1] = bytes[at]! << 27;
      // A shorter key ends before.
      if (places[3 * i + 1]! < FIRST_ID + 4) continue;
      order[2 * i + 1]! |= (bytes[at + FIRST_ID - 1]! & 7) << 24;
      for (let id = 0; id < 4; id++) order[2 * i + 1]! |= (bytes[at + FIRST_ID + id]! & 63) << (18 - 6 * id);
    }
    new BigUint64Array(order.buffer).sort();
    return order;
  }

  #reserve(bytes: number): void {
    if (this.#end + bytes > this.#bytes.length) {
      const length = Math.max(2 * this.#bytes.length, this.#end + bytes);
      this.#bytes = Buffer.from(this.#bytes.buffer.transfer(length));
    }
    if (3 * this.#size === this.#places.length)
      this.#places = new Int32Array(this.#places.buffer.transfer(2 * this.#places.byteLength));
  }
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
