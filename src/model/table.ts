import { FatalError } from '../errors/errors.ts';

const PAGE_BYTES = 65_536;
const MAX_PAGES = 65_536;
const FLOAT_BYTES = 4;
/** Floats of a cache line, and rows that are read together: see `vectors`. */
const [LINE, NEAR_ROWS] = [16, 16];

export interface TableOptions {
  readonly dim: number;
  readonly maxRows: number;
  /** Bytes kept free below row 0. */
  readonly workspaceBytes: number;
}

/** Bytes of a table with `rows` rows in use. */
export function tableBytes(options: Omit<TableOptions, 'maxRows'>, rows: number): number {
  const base = baseOf(options);
  const needed = Math.ceil((base + rows * strideOf(options) * FLOAT_BYTES) / PAGE_BYTES);
  return PAGE_BYTES * Math.max(base / PAGE_BYTES + 1, needed);
}

/**
 * The embeddings of one graph, in one WebAssembly memory, so that every kernel works on the same bytes.
 *
 *     memory:  | workspace of the kernel | row 0 | row 1 | … | row n-1 | room to grow
 *     row:     | vector, dim floats | zeros to a multiple of 8 | accumulator | drift | spare, 2 floats |
 *
 * Rows 0 … 2R-1 belong to the R relations (forward `2r`, reverse `2r + 1`); rows of entities follow. `accumulator` is that
 * of row-wise Adagrad. `drift` sums the lengths of the row's moves since it was last published. The spare floats keep
 * rows at multiples of 16 bytes.
 *
 * A foreign row is a copy of a row that belongs to another shard of the graph. Its accumulator is negative, and no kernel
 * moves it: see `foreignGradients` in `model/kernel.ts`.
 */
export class Table {
  readonly dim: number;
  /** dim rounded up to two SIMD registers. The padding is zero and stays zero. */
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
  readonly #options: TableOptions;
  #rows = 0;
  #floats: Float32Array;
  /** What `#touch` read: numbers that go nowhere would not be read. */
  readonly #read = new Float32Array(1);

  constructor(options: TableOptions) {
    this.#options = options;
    this.dim = options.dim;
    this.paddedDim = paddedDimOf(options);
    this.stride = strideOf(options);
    this.accumulator = this.paddedDim;
    this.drift = this.paddedDim + 1;
    this.maxRows = options.maxRows;
    this.base = baseOf(options);
    const pages = tableBytes(options, options.maxRows) / PAGE_BYTES;
    if (pages > MAX_PAGES) {
      const fit = Math.floor((MAX_PAGES * PAGE_BYTES - this.base) / (this.stride * FLOAT_BYTES));
      throw new FatalError(
        'table-size',
        `${options.maxRows} rows of ${options.dim} floats need ${pages} memory pages; ${fit} rows fit in 4 GiB`,
      );
    }
    const initial = tableBytes(options, 0) / PAGE_BYTES;
    this.memory = new WebAssembly.Memory({ initial, maximum: pages, shared: true });
    this.#floats = new Float32Array(this.memory.buffer);
  }

  get rows(): number {
    return this.#rows;
  }

  /** The whole memory as floats. Take the view again after `addRows`, which can replace the buffer. */
  get floats(): Float32Array {
    return this.#floats;
  }

  /** The index in `floats` of the row's first number. */
  at(row: number): number {
    return this.base / FLOAT_BYTES + row * this.stride;
  }

  /** The row's vector, [dim]: a view, so that writes go to the table. */
  vector(row: number): Float32Array {
    const start = this.at(row);
    return this.#floats.subarray(start, start + this.dim);
  }

  /** [n, dim] Copies of the rows' vectors; in `spent` where they fit. */
  vectors(rows: Int32Array, spent = new Float32Array()): Float32Array<ArrayBuffer> {
    const { dim } = this;
    const numbers = rows.length * dim;
    const vectors = spent.length < numbers ? new Float32Array(numbers) : spent.subarray(0, numbers);
    for (let i = 0; i < rows.length; i++) {
      // Copies wait for one row after the other.
      if (i % NEAR_ROWS === 0) this.#touch(rows.subarray(i, i + NEAR_ROWS));
      vectors.set(this.vector(rows[i]!), i * dim);
    }
    return vectors;
  }

  /** Brings rows into the cache: a loop that only reads has many cache lines in flight. */
  #touch(rows: Int32Array): void {
    let sum = 0;
    for (let i = 0; i < rows.length; i++) {
      const end = this.at(rows[i]!) + this.dim;
      for (let at = end - this.dim; at < end; at += LINE) sum += this.#floats[at]!;
    }
    this.#read[0] = sum;
  }

  isForeign(row: number): boolean {
    return this.#floats[this.at(row) + this.accumulator]! < 0;
  }

  /** Marks the row as one that belongs to another shard, with a negative accumulator: no kernel moves it from now on. */
  markForeign(row: number, accumulator: number): void {
    this.#floats[this.at(row) + this.accumulator] = accumulator;
  }

  /** Adds `count` rows of zeros, and returns the first of them. @throws FatalError when the table is full. */
  addRows(count: number): number {
    const first = this.#rows;
    if (first + count > this.maxRows) throw tableFull(this.maxRows);
    this.#rows += count;
    const more = tableBytes(this.#options, this.#rows) - this.memory.buffer.byteLength;
    if (more > 0) {
      this.memory.grow(more / PAGE_BYTES);
      this.#floats = new Float32Array(this.memory.buffer);
    }
    return first;
  }
}

export function tableFull(maxRows: number): FatalError {
  const message = `the table's ${maxRows} rows are used up; raise maxEntities in twhin.config.ts`;
  return new FatalError('table-full', message);
}

function paddedDimOf({ dim }: Pick<TableOptions, 'dim'>): number {
  return Math.ceil(dim / 8) * 8;
}

function strideOf(options: Pick<TableOptions, 'dim'>): number {
  return paddedDimOf(options) + 4;
}

function baseOf({ workspaceBytes }: Pick<TableOptions, 'workspaceBytes'>): number {
  return Math.ceil(workspaceBytes / PAGE_BYTES) * PAGE_BYTES;
}
