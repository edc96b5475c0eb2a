import { asBuffer, type Layout } from './layout.ts';
import type { WriteBatch } from './store.ts';

/** Memory is made for so many rows at a time. */
const BLOCK_ROWS = 1024;
/** What is kept for the next commit; a larger one, of an import, lets go of the rest. */
const KEPT_ROWS = 32 * BLOCK_ROWS;

/** Rows as a commit has them. */
export interface RowsToWrite {
  /** [n] rows and their floats, [n, dim + 2]. */
  readonly rows: Int32Array;
  readonly floats: Float32Array;
  /** [n] step each is of, or that of all. */
  readonly steps: Float64Array | number;
  /** Of these, what the same commit deletes. */
  readonly erased: ReadonlySet<number>;
}

/**
 * The rows of one commit as they are written: a key and a value each, tens of thousands of them. Keys and values are
 * views of memory that is used again for a later commit, and not made anew by the ten thousand.
 */
export class RowWrites {
  readonly #layout: Layout;
  readonly #keys: Buffer[] = [];
  readonly #values: Buffer[] = [];
  /** The values' floats by block, [BLOCK_ROWS, floats of a value]. */
  readonly #blocks: Float32Array[] = [];
  #rows = new Int32Array(0);
  #ascending = true;
  #erased: ReadonlySet<number> = new Set();

  constructor(layout: Layout) {
    this.#layout = layout;
  }

  /** Takes in a commit's rows, in place of those of another. */
  fill({ rows, floats, steps, erased }: RowsToWrite): void {
    this.#rows = rows.slice();
    this.#erased = erased;
    this.#ascending = true;
    this.#fit(rows.length);
    const { dim, vectorBytes } = this.#layout;
    const stored = dim + 2;
    for (let i = 0; i < rows.length; i++) {
      if (i > 0 && rows[i]! <= rows[i - 1]!) this.#ascending = false;
      this.#layout.writeVectorKey(this.#keys[i]!, rows[i]!);
      const block = this.#blocks[Math.floor(i / BLOCK_ROWS)]!;
      const to = ((i % BLOCK_ROWS) * vectorBytes) / 4;
      const from = i * stored;
      for (let j = 0; j < stored; j++) block[to + j] = floats[from + j]!;
      this.#values[i]!.writeDoubleLE(typeof steps === 'number' ? steps : steps[i]!, stored * 4);
    }
  }

  /** The batch must be written before this is filled again. */
  putInto(batch: WriteBatch): void {
    for (let i = 0; i < this.#rows.length; i++) batch.put(this.#keys[i]!, this.#values[i]!);
  }

  /** A row's value, a view; undefined where the commit did not write it, or its rows did not ascend. */
  find(row: number): Buffer | undefined {
    if (!this.#ascending || this.#erased.has(row)) return undefined;
    const rows = this.#rows;
    let low = 0;
    let high = rows.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (rows[middle]! < row) low = middle + 1;
      else high = middle;
    }
    return rows[low] === row ? this.#values[low] : undefined;
  }

  #fit(rows: number): void {
    const least = Math.ceil(rows / BLOCK_ROWS) * BLOCK_ROWS;
    const kept = Math.max(least, Math.min(this.#keys.length, KEPT_ROWS));
    this.#keys.length = Math.min(this.#keys.length, kept);
    this.#values.length = this.#keys.length;
    this.#blocks.length = this.#keys.length / BLOCK_ROWS;
    while (this.#keys.length < least) this.#addBlock();
  }

  #addBlock(): void {
    const { vectorBytes } = this.#layout;
    const block = new Float32Array((BLOCK_ROWS * vectorBytes) / 4);
    const bytes = asBuffer(new Uint8Array(block.buffer));
    const keyBytes = this.#layout.vectorKey(0).length;
    const keys = Buffer.alloc(BLOCK_ROWS * keyBytes);
    this.#blocks.push(block);
    for (let i = 0; i < BLOCK_ROWS; i++) {
      const key = keys.subarray(i * keyBytes, (i + 1) * keyBytes);
      this.#keys.push(key);
      this.#values.push(bytes.subarray(i * vectorBytes, (i + 1) * vectorBytes));
    }
  }
}
