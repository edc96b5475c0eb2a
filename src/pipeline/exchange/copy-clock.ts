const FIRST_ROWS = 1024;
/** The row is no copy; a copy; a copy that was used since the hand came by last. */
const NONE = 0;
const UNUSED = 1;
const USED = 2;

/**
 * Which rows are copies of other shards' entities, and which of these go first where there are too many. A hand goes round all
 * rows and takes the first copy that was not used since it came by last, which is nearly the least recently used (second
 * chance: Corbató 1968). The same calls take the same rows. A byte a row.
 */
export class CopyClock {
  #states = new Uint8Array(FIRST_ROWS);
  #hand = 0;
  #size = 0;

  /** The number of copies. */
  get size(): number {
    return this.#size;
  }

  has(row: number): boolean {
    return (this.#states[row] ?? NONE) !== NONE;
  }

  /** Notes a new copy, which counts as used. */
  add(row: number): void {
    if (row >= this.#states.length) this.#grow(row + 1);
    if (this.#states[row] === NONE) this.#size++;
    this.#states[row] = USED;
  }

  /** Notes that the row was used, if it is a copy. */
  use(row: number): void {
    if (this.has(row)) this.#states[row] = USED;
  }

  /** Notes that the row is a copy no more, if it was one. */
  remove(row: number): void {
    if (!this.has(row)) return;
    this.#states[row] = NONE;
    this.#size--;
  }

  /** The copy that is to go first; there must be one. */
  next(): number {
    const states = this.#states;
    for (;;) {
      const row = this.#hand;
      this.#hand = row + 1 < states.length ? row + 1 : 0;
      if (states[row] === UNUSED) return row;
      if (states[row] === USED) states[row] = UNUSED;
    }
  }

  #grow(rows: number): void {
    const states = new Uint8Array(Math.max(rows, 2 * this.#states.length));
    states.set(this.#states);
    this.#states = states;
  }
}
