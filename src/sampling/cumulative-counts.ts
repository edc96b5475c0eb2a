/**
 * A count for each row, and the row of the k-th of all counted things: a Fenwick tree. A change and a lookup take one
 * step for each binary digit of the number of rows. 4 bytes a row.
 * Source: Fenwick 1994, "A new data structure for cumulative frequency tables".
 */
export class CumulativeCounts {
  /** [a power of two above `rows`] element i: the sum of the counts of rows i − 2^k … i − 1, where 2^k is the lowest set bit of i. */
  readonly #sums: Int32Array;
  readonly #topStep: number;
  #total = 0;

  constructor(rows: number) {
    this.#sums = new Int32Array(2 ** Math.ceil(Math.log2(rows + 1)));
    this.#topStep = this.#sums.length >> 1;
  }

  get total(): number {
    return this.#total;
  }

  add(row: number, change: number): void {
    if (change === 0) return;
    this.#total += change;
    const sums = this.#sums;
    for (let i = row + 1; i < sums.length; i += i & -i) sums[i]! += change;
  }

  /**
   * Fills `rows` with the rows of the k-th things, in the order of rows, and replaces each k by how many things of its row come
   * before it. k: below `total`. Each step is taken for all things, without a branch, so that they wait for memory side by side.
   */
  find(k: Int32Array, rows: Int32Array): void {
    const sums = this.#sums;
    rows.fill(0);
    for (let step = this.#topStep; step > 0; step >>= 1) {
      for (let i = 0; i < k.length; i++) {
        const next = rows[i]! + step;
        const sum = sums[next]!;
        // All bits set where sum ≤ k.
        const passes = (sum - k[i]! - 1) >> 31;
        rows[i]! += step & passes;
        k[i]! -= sum & passes;
      }
    }
  }
}
