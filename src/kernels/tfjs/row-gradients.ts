/** Gradients summed by row in float64, however often a row occurs. */
export class RowGradients {
  readonly #dim: number;
  readonly #slots = new Map<number, number>();
  /** [slots, dim] */
  readonly #sums: Float64Array;

  /** most: distinct rows there can be. */
  constructor(dim: number, most: number) {
    this.#dim = dim;
    this.#sums = new Float64Array(most * dim);
  }

  clear(): void {
    this.#sums.fill(0, 0, this.#slots.size * this.#dim);
    this.#slots.clear();
  }

  /** Adds gradient `index` of `gradients`, [n, dim], to the row's. */
  add(row: number, gradients: Float32Array, index: number): void {
    let slot = this.#slots.get(row);
    if (slot === undefined) {
      slot = this.#slots.size;
      this.#slots.set(row, slot);
    }
    const sums = this.#sums;
    const dim = this.#dim;
    const to = slot * dim;
    const from = index * dim;
    for (let k = 0; k < dim; k++) sums[to + k]! += gradients[from + k]!;
  }

  /** use: is given each row with its sum, [dim], a view. */
  forEach(use: (row: number, gradient: Float64Array) => void): void {
    this.#slots.forEach((slot, row) => {
      use(row, this.#sums.subarray(slot * this.#dim, (slot + 1) * this.#dim));
    });
  }
}
