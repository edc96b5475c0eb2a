/** Rows for which memory is allocated at a time. */
const BLOCK_ROWS = 1024;
/** Memory is kept for this many times the rows of the current commit, for later and larger commits. */
const KEPT = 4;

/** The first byte of a row's key; see `Layout`. */
export const VECTOR = 0x76;
export const VECTOR_KEY_BYTES = 5;

/** The rows of a commit. The arrays must not change until the commit is written. */
export interface RowsToWrite {
  readonly dim: number;
  /** [n] rows and their floats, [n, dim + 2]. */
  readonly rows: Int32Array;
  readonly floats: Float32Array;
  /** [n] the step of each row, or one step for all rows. */
  readonly steps: Float64Array | number;
  /** Rows that the same commit deletes, and that are not written. */
  readonly erased: ReadonlySet<number>;
}

/** Bytes of a row's value: vector, accumulator, drift, step. */
export function vectorBytes(dim: number): number {
  return (dim + 2) * 4 + 8;
}

/** Writes a row's key into `key`. */
export function writeVectorKey(key: Buffer, row: number): void {
  key[0] = VECTOR;
  key.writeUInt32BE(row, 1);
}

/**
 * Encodes the rows of a commit, tens of thousands of keys and values. Keys and values are views of memory that the next
 * commit uses again, so that they are not allocated for each commit.
 */
export class RowWrites {
  #dim = 0;
  readonly #keys: Buffer[] = [];
  readonly #values: Buffer[] = [];
  /** The values' floats by block, [BLOCK_ROWS, floats of a value]. */
  readonly #blocks: Float32Array[] = [];

  /** Gives each row's key and value, which are valid until the next call. */
  each({ dim, rows, floats, steps, erased }: RowsToWrite, visit: (key: Buffer, value: Buffer) => void): void {
    this.#fit(rows.length, dim);
    const stored = dim + 2;
    const width = vectorBytes(dim) / 4;
    for (let i = 0; i < rows.length; i++) {
      if (erased.has(rows[i]!)) continue;
      const key = this.#keys[i]!;
      const value = this.#values[i]!;
      writeVectorKey(key, rows[i]!);
      const block = this.#blocks[Math.floor(i / BLOCK_ROWS)]!;
      const to = (i % BLOCK_ROWS) * width;
      const from = i * stored;
      for (let j = 0; j < stored; j++) block[to + j] = floats[from + j]!;
      value.writeDoubleLE(typeof steps === 'number' ? steps : steps[i]!, stored * 4);
      visit(key, value);
    }
  }

  #fit(rows: number, dim: number): void {
    if (dim !== this.#dim) this.#keep(0);
    this.#dim = dim;
    const least = Math.ceil(rows / BLOCK_ROWS) * BLOCK_ROWS;
    this.#keep(KEPT * least);
    while (this.#keys.length < least) this.#addBlock();
  }

  #keep(rows: number): void {
    this.#keys.length = Math.min(this.#keys.length, rows);
    this.#values.length = this.#keys.length;
    this.#blocks.length = this.#keys.length / BLOCK_ROWS;
  }

  #addBlock(): void {
    const size = vectorBytes(this.#dim);
    const block = new Float32Array((BLOCK_ROWS * size) / 4);
    const bytes = Buffer.from(block.buffer);
    const keys = Buffer.alloc(BLOCK_ROWS * VECTOR_KEY_BYTES);
    this.#blocks.push(block);
    for (let i = 0; i < BLOCK_ROWS; i++) {
      this.#keys.push(keys.subarray(i * VECTOR_KEY_BYTES, (i + 1) * VECTOR_KEY_BYTES));
      this.#values.push(bytes.subarray(i * size, (i + 1) * size));
    }
  }
}
