import type { Batch, Operations } from './store.ts';
import { endsSlice, nextTurn } from './turns.ts';

/** Most bytes of an operation whose place is kept, and how many of one size are made at once. */
const [KEPT_BYTES, MADE_AT_ONCE] = [192, 64];
/** Where a key's first id begins, in about all keys: see `Layout`. */
const FIRST_ID = 3;
/** Room of a new batch, and how many numbers are kept of each operation. */
const [FIRST_BYTES, FIELDS] = [65_536, 3];
/** Stands in place of a value's length: the key is deleted. */
export const DELETED = -1;

/** Views of an operation's key, and right after it of the value; no value where the key is deleted. */
interface Place {
  readonly bytes: Buffer;
  readonly key: Uint8Array;
  readonly value: Uint8Array | undefined;
}

/**
 * Puts and deletes that are written all or none. The last operation on a key wins. Keys and values are copied, one behind the other.
 * RocksDB is given two views of each operation, and has them until it has written: objects that die old, which is dear. So the views of
 * small operations are kept for the next batch, and taken in the order in which they were made: whoever reads them waits less for memory.
 */
export class WriteBatch implements Batch {
  /** Where the operations are written. `open` may replace it. */
  bytes: Buffer = Buffer.allocUnsafeSlow(FIRST_BYTES);
  #end = 0;
  /** [size, 3] of each operation: its start, and the bytes of key and value. */
  readonly #operations: number[] = [];
  /** By the bytes of key and value: places, of which the first `used` are taken. */
  readonly #kept = new Map<number, { readonly places: Place[]; used: number }>();

  get size(): number {
    return this.#operations.length / FIELDS;
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
    const at = this.#end;
    this.#end += keyBytes + Math.max(0, valueBytes);
    if (this.#end > this.bytes.length) this.bytes = Buffer.concat([this.bytes], 2 * this.#end);
    this.#operations.push(at, keyBytes, valueBytes);
    return at;
  }

  clear(): void {
    this.#operations.length = 0;
    this.#end = 0;
    for (const kept of this.#kept.values()) kept.used = 0;
  }

  /**
   * Hands over each operation, in slices. Keys come in about their order, because RocksDB inserts a key faster beside the one before;
   * operations on one key keep theirs.
   */
  async each(to: Operations): Promise<void> {
    const order = this.#order();
    for (let i = 0; i < this.size; i++) {
      const { key, value } = this.#placed(order[2 * i]!);
      if (value === undefined) to.tryDelete(key);
      else to.tryPut(key, value);
      if (endsSlice(i)) await nextTurn();
    }
  }

  /** [size, 2] operations by parts of their keys: kind, length and start of the first id. Sorted as one number each, without a comparator. */
  #order(): Uint32Array {
    const { bytes } = this;
    const order = new Uint32Array(2 * this.size);
    for (let i = 0; i < this.size; i++) {
      const key = this.#operations[FIELDS * i]!;
      order[2 * i] = i;
      order[2 * i + 1] = bytes[key]! << 27;
      // A shorter key ends before.
      if (this.#operations[FIELDS * i + 1]! < FIRST_ID + 4) continue;
      order[2 * i + 1]! |= (bytes[key + FIRST_ID - 1]! & 7) << 24;
      for (let id = 0; id < 4; id++) order[2 * i + 1]! |= (bytes[key + FIRST_ID + id]! & 63) << (18 - 6 * id);
    }
    new BigUint64Array(order.buffer).sort();
    return order;
  }

  /** The operation of this number, in a place that no other of the batch has. */
  #placed(operation: number): Place {
    const [of, at] = [this.#operations, FIELDS * operation];
    const [start, keyBytes, valueBytes] = [of[at]!, of[at + 1]!, of[at + 2]!];
    const width = keyBytes + Math.max(0, valueBytes);
    if (width > KEPT_BYTES) return placeIn(this.bytes, start, keyBytes, valueBytes);
    const size = keyBytes * (KEPT_BYTES + 1) + valueBytes;
    let kept = this.#kept.get(size);
    if (kept === undefined) {
      kept = { places: [], used: 0 };
      this.#kept.set(size, kept);
    }
    if (kept.used === kept.places.length) {
      const bytes = Buffer.allocUnsafeSlow(MADE_AT_ONCE * width);
      for (let i = 0; i < MADE_AT_ONCE; i++)
        kept.places.push(placeIn(bytes, i * width, keyBytes, valueBytes));
    }
    const place = kept.places[kept.used++]!;
    for (let i = 0, to = place.key.byteOffset; i < width; i++) place.bytes[to + i] = this.bytes[start + i]!;
    return place;
  }
}

function placeIn(bytes: Buffer, start: number, keyBytes: number, valueBytes: number): Place {
  const view = (at: number, length: number) => new Uint8Array(bytes.buffer, bytes.byteOffset + at, length);
  const value = valueBytes === DELETED ? undefined : view(start + keyBytes, valueBytes);
  return { bytes, key: view(start, keyBytes), value };
}
