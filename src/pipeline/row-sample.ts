import { rowHash } from '../sampling/fixed-candidates.ts';

/**
 * A steady sample of rows: those whose numbers hash lowest. As rows are added it changes by those that take another's
 * place, and never by chance.
 */
export class RowSample {
  readonly #size: number;
  /** Highest hash first: the next to give its place away. */
  #rows: { row: number; hash: number }[] = [];
  #seen = 0;

  constructor(size: number) {
    this.#size = size;
  }

  /** The sample of rows 0 … rows − 1, those that `wanted` leaves out aside; ascending. */
  of(rows: number, wanted: (row: number) => boolean): number[] {
    // Fewer than before: another store.
    if (rows < this.#seen) this.#restart();
    this.#rows = this.#rows.filter(({ row }) => wanted(row));
    for (; this.#seen < rows; this.#seen++) {
      const hash = rowHash(this.#seen);
      if (this.#rows.length === this.#size && hash >= (this.#rows[0]?.hash ?? 0)) continue;
      if (wanted(this.#seen)) this.#take({ row: this.#seen, hash });
    }
    return this.#rows.map(({ row }) => row).sort((a, b) => a - b);
  }

  #take(taken: { row: number; hash: number }): void {
    if (this.#rows.length === this.#size) this.#rows.shift();
    const at = this.#rows.findIndex(({ hash }) => hash < taken.hash);
    this.#rows.splice(at === -1 ? this.#rows.length : at, 0, taken);
  }

  #restart(): void {
    this.#rows = [];
    this.#seen = 0;
  }
}
