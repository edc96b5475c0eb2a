/**
 * Which rows of entities that are gone may be used again. A row is free once two commits are cut, the one that freed it and
 * the next: by then the first is written, its vector is gone from the store, and whoever looks for one there by its row finds
 * none until its next owner's is written. Which are free depends on the store and what its last commit freed, so that one
 * that starts from there goes on alike. Nothing is kept of free rows: they are those that nobody has.
 */
export class FreeRows {
  /** Rows handed out again. */
  taken = 0;
  readonly #watches = new Set<Set<number>>();
  readonly #first: number;
  /** Freed since the last commit was cut, by that one, and never to be used. */
  #leaving = new Set<number>();
  #freed: ReadonlySet<number>;
  readonly #withheld = new Set<number>();
  /** No row below is free. */
  #lowest: number;

  /** first: row of entities; freed: by the last commit. */
  constructor(first: number, freed: readonly number[]) {
    this.#first = first;
    this.#lowest = first;
    this.#freed = new Set(freed);
  }

  /** By the last commit that was cut. */
  get freed(): readonly number[] {
    return [...this.#freed];
  }

  /** How many are free. next: the first row never in use; owned: rows that are an entity's. */
  count(next: number, owned: number): number {
    return next - this.#first - owned - this.#leaving.size - this.#freed.size - this.#withheld.size;
  }

  /** The lowest free row; there must be one. */
  take(isOwned: (row: number) => boolean): number {
    let row = this.#lowest;
    while (isOwned(row) || this.#leaving.has(row) || this.#freed.has(row) || this.#withheld.has(row)) row++;
    this.#lowest = row + 1;
    this.taken++;
    for (const rows of this.#watches) rows.add(row);
    return row;
  }

  /** Adds to `rows` each that is handed out again, until what this gives is called. */
  watch(rows: Set<number>): () => void {
    this.#watches.add(rows);
    return () => void this.#watches.delete(rows);
  }

  /** The row's entity is gone. */
  leave(row: number): void {
    this.#leaving.add(row);
  }

  cut(): void {
    for (const row of this.#freed) this.#lowest = Math.min(this.#lowest, row);
    this.#freed = this.#leaving;
    this.#leaving = new Set();
  }

  withhold(row: number): void {
    this.#withheld.add(row);
  }
}
