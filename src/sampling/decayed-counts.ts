/** The stored counts are scaled down when the newest event weighs this much, far below the largest double. */
const LARGEST_WEIGHT = 2 ** 500;

/**
 * A count of events for each row in which an event's weight halves with every `halfLife` later events, whoever's they
 * are: how popular a row has been of late. Nothing is touched as time passes: a later event weighs more instead, and
 * counts of one moment are compared with each other only. 8 bytes a row.
 */
export class DecayedCounts {
  readonly #counts: Float64Array;
  readonly #growth: number;
  #weight = 1;

  /** halfLife: in events, above 0. */
  constructor(rows: number, halfLife: number) {
    this.#counts = new Float64Array(rows);
    this.#growth = 2 ** (1 / halfLife);
  }

  /** Lets the time of one event pass. */
  tick(): void {
    this.#weight *= this.#growth;
    if (this.#weight < LARGEST_WEIGHT) return;
    for (let row = 0; row < this.#counts.length; row++) this.#counts[row]! /= this.#weight;
    this.#weight = 1;
  }

  add(row: number): void {
    this.#counts[row]! += this.#weight;
  }

  /** Zero for a row without an event; otherwise comparable with the counts of other rows at the same moment. */
  of(row: number): number {
    return this.#counts[row]!;
  }
}
