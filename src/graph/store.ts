import type { RowsToWrite } from './row-writes.ts';

export interface Entry {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

/** Bytes a fresh batch has room for, and operations. */
const FIRST_BYTES = 4096;
const FIRST_OPERATIONS = 64;
/** In place of a value's length: the key is deleted. */
const DELETED = -1;

/** A batch as it crosses from one thread to another: nothing in it is an object by the entry. */
export interface PackedBatch {
  /** Keys and values one behind the other, and what is free behind the last. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** [2 * size] lengths of each key and value, -1 for the value of a key that is deleted; and what is free. */
  readonly lengths: Int32Array<ArrayBuffer>;
  readonly size: number;
  readonly rows: RowsToWrite | undefined;
}

/** Puts and deletes that are written together or not at all. Later operations on a key win. Keys and values are copied. */
export class WriteBatch {
  /** Written beside the operations, none of which is on a key of theirs. */
  rows: RowsToWrite | undefined;
  #bytes = Buffer.from(new ArrayBuffer(FIRST_BYTES));
  #lengths = new Int32Array(2 * FIRST_OPERATIONS);
  #size = 0;
  #end = 0;

  static unpacked({ bytes, lengths, size, rows }: PackedBatch): WriteBatch {
    const batch = new WriteBatch();
    batch.rows = rows;
    batch.#bytes = Buffer.from(bytes.buffer);
    batch.#lengths = lengths;
    batch.#size = size;
    return batch;
  }

  /** Puts and deletes; the rows do not count. */
  get size(): number {
    return this.#size;
  }

  put(key: Uint8Array, value: Uint8Array): void {
    this.#append(key, value, value.length);
  }

  delete(key: Uint8Array): void {
    this.#append(key, undefined, DELETED);
  }

  /** Each operation in order, as views of memory that is the batch's; a value of undefined deletes. */
  each(visit: (key: Buffer, value: Buffer | undefined) => void): void {
    let at = 0;
    for (let i = 0; i < this.#size; i++) {
      const keyEnd = at + this.#lengths[2 * i]!;
      const length = this.#lengths[2 * i + 1]!;
      const end = keyEnd + Math.max(0, length);
      visit(
        this.#bytes.subarray(at, keyEnd),
        length === DELETED ? undefined : this.#bytes.subarray(keyEnd, end),
      );
      at = end;
    }
  }

  /** The same memory, to be handed to another thread: with it, the batch is gone. */
  packed(): PackedBatch {
    const { size, rows } = this;
    return { bytes: new Uint8Array(this.#bytes.buffer), lengths: this.#lengths, size, rows };
  }

  #append(key: Uint8Array, value: Uint8Array | undefined, length: number): void {
    this.#reserve(key.length + Math.max(0, length));
    this.#bytes.set(key, this.#end);
    this.#end += key.length;
    if (value !== undefined) {
      this.#bytes.set(value, this.#end);
      this.#end += length;
    }
    this.#lengths[2 * this.#size] = key.length;
    this.#lengths[2 * this.#size + 1] = length;
    this.#size++;
  }

  #reserve(bytes: number): void {
    if (this.#end + bytes > this.#bytes.length) {
      const longer = Buffer.from(new ArrayBuffer(Math.max(2 * this.#bytes.length, this.#end + bytes)));
      longer.set(this.#bytes);
      this.#bytes = longer;
    }
    if (2 * this.#size === this.#lengths.length) {
      const longer = new Int32Array(2 * this.#lengths.length);
      longer.set(this.#lengths);
      this.#lengths = longer;
    }
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
