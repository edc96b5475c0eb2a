import type { Found } from './scan.ts';

/** The `count` rows with the highest scores among those offered; of equal scores, the lower row. A heap, the worst on top. */
export class BestRows {
  readonly #count: number;
  readonly #found: Found[] = [];

  /** count: 1 or more. */
  constructor(count: number) {
    this.#count = count;
  }

  /** The score that a row has to reach; −∞ while there is room. */
  get worst(): number {
    return this.#found.length < this.#count ? Number.NEGATIVE_INFINITY : this.#found[0]!.score;
  }

  offer(row: number, score: number): void {
    const found = { row, score };
    if (this.#found.length < this.#count) this.#rise(found);
    else if (worse(this.#found[0]!, found)) this.#sink(found);
  }

  /** Best first. */
  sorted(): Found[] {
    return this.#found.toSorted((a, b) => b.score - a.score || a.row - b.row);
  }

  /** Adds at the end, and moves up past all better ones. */
  #rise(found: Found): void {
    const heap = this.#found;
    let at = heap.length;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!worse(found, heap[parent]!)) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = found;
  }

  /** Replaces the top, and moves down past all worse ones. */
  #sink(found: Found): void {
    const heap = this.#found;
    let at = 0;
    for (let child = 1; child < heap.length; child = 2 * at + 1) {
      if (child + 1 < heap.length && worse(heap[child + 1]!, heap[child]!)) child++;
      if (!worse(heap[child]!, found)) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = found;
  }
}

function worse(a: Found, b: Found): boolean {
  return a.score < b.score || (a.score === b.score && a.row > b.row);
}
