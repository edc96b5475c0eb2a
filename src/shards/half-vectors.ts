import { squaredDistance } from '../model/scorers.ts';
import type { RowVectors } from '../pipeline/training/shard-batch.ts';

const FIRST_ROWS = 64;
const BLOCK_VECTORS = 4096;
const NONE = -1;

/** A growing list of rows with `dim` numbers each, in half precision. */
export class HalfVectors {
  readonly #dim: number;
  #rows = new Int32Array(FIRST_ROWS);
  #halves: Float16Array<ArrayBuffer>;
  #length = 0;

  constructor(dim: number) {
    this.#dim = dim;
    this.#halves = new Float16Array(FIRST_ROWS * dim);
  }

  get length(): number {
    return this.#length;
  }

  /** Appends a copy of the vector. */
  push(row: number, vector: Float32Array | Float16Array): void {
    if (this.#length === this.#rows.length) {
      this.#rows = new Int32Array(this.#rows.buffer.transfer(2 * this.#rows.byteLength));
      this.#halves = new Float16Array(this.#halves.buffer.transfer(2 * this.#halves.byteLength));
    }
    this.#rows[this.#length] = row;
    this.#halves.set(vector, this.#length * this.#dim);
    this.#length++;
  }

  /** Takes a row's vectors out of the list; the others stay in order. */
  forget(row: number): void {
    let kept = 0;
    for (let i = 0; i < this.#length; i++) {
      if (this.#rows[i] === row) continue;
      this.#rows[kept] = this.#rows[i]!;
      this.#halves.copyWithin(kept * this.#dim, i * this.#dim, (i + 1) * this.#dim);
      kept++;
    }
    this.#length = kept;
  }

  /** The list so far, as copies; the list is empty then. */
  take(): RowVectors {
    const rows = this.#rows.slice(0, this.#length);
    const halves = this.#halves.slice(0, this.#length * this.#dim);
    this.#length = 0;
    return { rows, halves };
  }
}

/** Vectors of some rows, in half precision: 2 bytes a number, in blocks, and 4 bytes for every row that may have one. */
export class VectorSlab {
  readonly #dim: number;
  readonly #slots: Int32Array;
  readonly #blocks: Float16Array[] = [];
  readonly #free: number[] = [];
  #used = 0;

  constructor(dim: number, maxRows: number) {
    this.#dim = dim;
    this.#slots = new Int32Array(maxRows).fill(NONE);
  }

  has(row: number): boolean {
    return this.#slots[row] !== NONE;
  }

  put(row: number, vector: Float32Array): void {
    const slot = this.#slots[row] === NONE ? this.#take(row) : this.#slots[row]!;
    this.#vector(slot).set(vector);
  }

  drop(row: number): void {
    const slot = this.#slots[row]!;
    if (slot === NONE) return;
    this.#slots[row] = NONE;
    this.#free.push(slot);
  }

  /** The distance between the row's kept vector and this one; undefined where none is kept. */
  distance(row: number, vector: Float32Array): number | undefined {
    const slot = this.#slots[row]!;
    if (slot === NONE) return undefined;
    return Math.sqrt(squaredDistance(vector, this.#vector(slot)));
  }

  #take(row: number): number {
    const slot = this.#free.pop() ?? this.#used++;
    if (slot === this.#blocks.length * BLOCK_VECTORS)
      this.#blocks.push(new Float16Array(BLOCK_VECTORS * this.#dim));
    this.#slots[row] = slot;
    return slot;
  }

  #vector(slot: number): Float16Array {
    const from = (slot % BLOCK_VECTORS) * this.#dim;
    return this.#blocks[Math.floor(slot / BLOCK_VECTORS)]!.subarray(from, from + this.#dim);
  }
}
