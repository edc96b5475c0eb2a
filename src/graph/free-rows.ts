/**
 * The rows of erased entities that may be used again. A row is free once two commits are cut: the commit that freed the
 * row and the next one. By then the first commit is written and the old vector is gone from the store, so a reader of the
 * row finds nothing until the vector of its next entity is written. Which rows are free follows from the store and from
 * the rows that its last commit freed: a restarted process hands out the same rows. Free rows are not listed; a row is
 * free when no entity has it.
 */
export class FreeRows {
  /** How many rows were used again. */
  taken = 0;
  readonly #first: number;
  /** Freed since the last commit was cut. */
  #leaving = new Set<number>();
  /** Freed by the last commit. */
  #freed: ReadonlySet<number>;
  /** Never to be used. */
  readonly #withheld = new Set<number>();
  /** No row below is free. */
  #lowest: number;

  /** first: the first row of entities; freed: the rows that the last commit freed. */
  constructor(first: number, freed: readonly number[]) {
    this.#first = first;
    this.#lowest = first;
    this.#freed = new Set(freed);
  }

  /** The rows that the last commit freed. */
  get freed(): readonly number[] {
    return [...this.#freed];
  }

  /** The number of free rows. next: the first row never in use; owned: the number of rows that entities have. */
  count(next: number, owned: number): number {
    return next - this.#first - owned - this.#leaving.size - this.#freed.size - this.#withheld.size;
  }

  /** The lowest free row; there must be one. */
  take(isOwned: (row: number) => boolean): number {
    let row = this.#lowest;
    while (isOwned(row) || this.#leaving.has(row) || this.#freed.has(row) || this.#withheld.has(row)) row++;
    this.#lowest = row + 1;
    this.taken++;
    return row;
  }

  /** Notes that the entity of the row is gone. */
  leave(row: number): void {
    this.#leaving.add(row);
  }

  /** Notes that a commit of records is cut. */
  cut(): void {
    for (const row of this.#freed) this.#lowest = Math.min(this.#lowest, row);
    this.#freed = this.#leaving;
    this.#leaving = new Set();
  }

  /** Keeps a row from ever being used. */
  withhold(row: number): void {
    this.#withheld.add(row);
  }
}
