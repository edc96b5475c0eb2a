/**
 * A count for each row, and the row of the k-th of all counted things: a Fenwick tree. A change and a lookup take one
 * step for each binary digit of the number of rows. 4 bytes a row.
 * Source: Fenwick 1994, "A new data structure for cumulative frequency tables".
 */
export class CumulativeCounts {
  /** [rows + 1] element i: the sum of the counts of rows i − 2^k … i − 1, where 2^k is the lowest set bit of i. */
  readonly #sums: Int32Array;
  readonly #topStep: number;
  #total = 0;

  constructor(rows: number) {
    this.#sums = new Int32Array(rows + 1);
    this.#topStep = rows === 0 ? 0 : 2 ** Math.floor(Math.log2(rows));
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

  /** The row of the k-th thing, in the order of rows, and how many things of that row come before it. k: below `total`. */
  find(k: number): { readonly row: number; readonly offset: number } {
    const sums = this.#sums;
    let at = 0;
    let left = k;
    for (let step = this.#topStep; step > 0; step >>= 1) {
      const next = at + step;
      if (next < sums.length && sums[next]! <= left) {
        at = next;
        left -= sums[next]!;
      }
    }
    return { row: at, offset: left };
  }
}
