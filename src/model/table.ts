import { FatalError } from '../errors.ts';

const PAGE_BYTES = 65_536;
const MAX_PAGES = 65_536;
const FLOAT_BYTES = 4;

/**
 * The embeddings of one graph in one WebAssembly memory, so that every kernel works on the same bytes.
 *
 *     memory:  | workspace (kernel's own) | row 0 | row 1 | … | row n-1 | room to grow
 *     row:     | vector, dim floats | zeros to a multiple of 8 | accumulator | drift | spare, 2 floats |
 *
 * Rows 0 … 2R-1 are the relations' (forward `2r`, reverse `2r + 1`); entity rows follow. `accumulator` is row-wise
 * Adagrad's. `drift` sums the lengths of the row's moves since it was last published. The spare floats keep rows at
 * multiples of 16 bytes.
 */
export class Table {
  readonly dim: number;
  /** dim rounded up to two SIMD registers; the padding is zero and stays zero. */
  readonly paddedDim: number;
  /** Floats from one row to the next. */
  readonly stride: number;
  /** Index of the accumulator in a row; drift is the float after it. */
  readonly accumulator: number;
  readonly drift: number;
  readonly memory: WebAssembly.Memory;
  /** Byte address of row 0. */
  readonly base: number;
  readonly maxRows: number;
  #rows = 0;
  #floats: Float32Array;

  constructor(options: { dim: number; maxRows: number; workspaceBytes: number }) {
    this.dim = options.dim;
    this.paddedDim = Math.ceil(options.dim / 8) * 8;
    this.stride = this.paddedDim + 4;
    this.accumulator = this.paddedDim;
    this.drift = this.paddedDim + 1;
    this.maxRows = options.maxRows;
    this.base = Math.ceil(options.workspaceBytes / PAGE_BYTES) * PAGE_BYTES;
    const pages = Math.ceil((this.base + options.maxRows * this.stride * FLOAT_BYTES) / PAGE_BYTES);
    if (pages > MAX_PAGES) {
      const fit = Math.floor((MAX_PAGES * PAGE_BYTES - this.base) / (this.stride * FLOAT_BYTES));
      throw new FatalError(
        'table-size',
        `${options.maxRows} rows of ${options.dim} floats need ${pages} memory pages; ${fit} rows fit in 4 GiB`,
      );
    }
    const initial = this.base / PAGE_BYTES + 1;
    this.memory = new WebAssembly.Memory({ initial, maximum: Math.max(initial, pages), shared: true });
    this.#floats = new Float32Array(this.memory.buffer);
  }

  get rows(): number {
    return this.#rows;
  }

  /** View of the whole memory as floats. Re-take it after `addRows`: growing gives a new buffer. */
  get floats(): Float32Array {
    return this.#floats;
  }

  /** Index in `floats` of the row's first number. */
  at(row: number): number {
    return this.base / FLOAT_BYTES + row * this.stride;
  }

  /** The row's vector, [dim], a view: writes go to the table. */
  vector(row: number): Float32Array {
    const start = this.at(row);
    return this.#floats.subarray(start, start + this.dim);
  }

  /**
   * Adds `count` rows of zeros and returns the first.
   * @throws FatalError when the table is full.
   */
  addRows(count: number): number {
    const first = this.#rows;
    if (first + count > this.maxRows) {
      throw new FatalError(
        'table-full',
        `the table's ${this.maxRows} rows are used up; raise maxEntities in twhin.config.ts`,
      );
    }
    this.#rows += count;
    const needed = this.base + this.#rows * this.stride * FLOAT_BYTES;
    const have = this.memory.buffer.byteLength;
    if (needed > have) {
      this.memory.grow(Math.ceil((needed - have) / PAGE_BYTES));
      this.#floats = new Float32Array(this.memory.buffer);
    }
    return first;
  }
}
