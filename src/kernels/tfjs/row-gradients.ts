/** Gradients summed by row in float64, however often a row occurs. What it allocates it uses again in the next step. */
export class RowGradients {
  readonly #dim: number;
  /** By row: its place among the sums. */
  readonly #places = new Map<number, number>();
  /** [dim] each. */
  readonly #sums: Float64Array[] = [];

  constructor(dim: number) {
    this.#dim = dim;
  }

  clear(): void {
    this.#places.clear();
  }

  /** Adds gradient `index` of `gradients`, [n, dim], to the row's. */
  add(row: number, gradients: Float32Array, index: number): void {
    const place = this.#places.get(row);
    const sum = place === undefined ? this.#newSum(row) : this.#sums[place]!;
    addVector(sum, gradients, index * this.#dim);
  }

  /** use: is given each row with its sum. */
  forEach(use: (row: number, gradient: Float64Array) => void): void {
    this.#places.forEach((place, row) => {
      use(row, this.#sums[place]!);
    });
  }

  #newSum(row: number): Float64Array {
    const place = this.#places.size;
    this.#places.set(row, place);
    this.#sums[place] ??= new Float64Array(this.#dim);
    return this.#sums[place].fill(0);
  }
}

/**
 * Four numbers a turn, since V8 counts and looks whether to stop in each; and apart from the lookup of the row, where it
 * ran out of registers. Sums of a step took 300 µs, and take 185.
 */
function addVector(sum: Float64Array, gradients: Float32Array, from: number): void {
  const dim = sum.length;
  let k = 0;
  for (; k < dim - 3; k += 4) {
    const at = from + k;
    sum[k]! += gradients[at]!;
    sum[k + 1]! += gradients[at + 1]!;
    sum[k + 2]! += gradients[at + 2]!;
    sum[k + 3]! += gradients[at + 3]!;
  }
  for (; k < dim; k++) sum[k]! += gradients[from + k]!;
}
