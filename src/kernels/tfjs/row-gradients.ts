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
    const sum = this.#sumOf(row);
    const dim = this.#dim;
    const from = index * dim;
    for (let k = 0; k < dim; k++) sum[k]! += gradients[from + k]!;
  }

  /** use: is given each row with its sum. */
  forEach(use: (row: number, gradient: Float64Array) => void): void {
    this.#places.forEach((place, row) => {
      use(row, this.#sums[place]!);
    });
  }

  #sumOf(row: number): Float64Array {
    const known = this.#places.get(row);
    if (known !== undefined) return this.#sums[known]!;
    const place = this.#places.size;
    this.#places.set(row, place);
    this.#sums[place] ??= new Float64Array(this.#dim);
    return this.#sums[place].fill(0);
  }
}
