/** A copy that still has no vector is asked for again after this many times the first wait. */
const ASK_AGAIN = 60;

/**
 * The copies of other shards' entities that have no vector yet, as rows. A vector that does not come, for whatever reason, is asked
 * for by name, again and again: so no copy is without a vector for ever, in whatever order parcels, edges and erasures come.
 */
export class AbsentCopies {
  /** Vectors asked for since the process began. */
  asked = 0;
  readonly #wantMs: number;
  readonly #clock: () => number;
  /** By row, in the order of time: since when a copy has no vector, and when it was asked for. */
  readonly #since = new Map<number, number>();
  readonly #askedAt = new Map<number, number>();

  /** wantMs: how long a copy waits for its vector before it is asked for. */
  constructor(wantMs: number, clock: () => number) {
    this.#wantMs = wantMs;
    this.#clock = clock;
  }

  /** Notes that a copy has no vector, or none any more. */
  add(row: number): void {
    this.remove(row);
    this.#since.set(row, this.#clock());
  }

  /** Notes that the row has its vector, or is no copy any more. */
  remove(row: number): void {
    this.#since.delete(row);
    this.#askedAt.delete(row);
  }

  /** Whether a copy is to be asked for now. */
  get isDue(): boolean {
    const now = this.#clock();
    const [since = now] = this.#since.values();
    const [askedAt = now] = this.#askedAt.values();
    return now - since >= this.#wantMs || now - askedAt >= ASK_AGAIN * this.#wantMs;
  }

  /** The copies to ask for now; they count as asked for then. */
  take(): number[] {
    const now = this.#clock();
    const due = [
      ...overdue(this.#askedAt, now - ASK_AGAIN * this.#wantMs),
      ...overdue(this.#since, now - this.#wantMs),
    ];
    for (const row of due) {
      this.remove(row);
      this.#askedAt.set(row, now);
    }
    this.asked += due.length;
    return due;
  }
}

/** The rows that wait since `before` or longer. */
function overdue(waiting: ReadonlyMap<number, number>, before: number): number[] {
  const rows: number[] = [];
  for (const [row, since] of waiting) {
    if (since > before) break;
    rows.push(row);
  }
  return rows;
}
