import type { RowVectors } from './trainer.ts';

const FIRST_ROWS = 64;

/** A growing list of rows with `dim` numbers each, in half precision. */
export class HalfVectors {
  readonly #dim: number;
  #rows = new Int32Array(FIRST_ROWS);
  #halves: Float16Array;
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
    if (this.#length === this.#rows.length) this.#grow();
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

  #grow(): void {
    const rows = new Int32Array(2 * this.#rows.length);
    const halves = new Float16Array(2 * this.#halves.length);
    rows.set(this.#rows);
    halves.set(this.#halves);
    this.#rows = rows;
    this.#halves = halves;
  }
}
