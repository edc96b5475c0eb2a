/** The best of what is offered, at most `size` of it. A heap, the worst on top. */
export class Best<T> {
  readonly #size: number;
  readonly #isWorse: (one: T, other: T) => boolean;
  readonly #held: T[] = [];

  constructor(size: number, isWorse: (one: T, other: T) => boolean) {
    this.#size = size;
    this.#isWorse = isWorse;
  }

  /** In no order. */
  get held(): readonly T[] {
    return this.#held;
  }

  /** What another one has to be better than; undefined while there is room. */
  get worst(): T | undefined {
    return this.#held.length < this.#size ? undefined : this.#held[0];
  }

  offer(one: T): void {
    if (this.#held.length < this.#size) this.#rise(one);
    else if (this.#size > 0 && this.#isWorse(this.#held[0]!, one)) this.#sink(one);
  }

  /** Adds at the end, and moves up past all better ones. */
  #rise(one: T): void {
    const heap = this.#held;
    let at = heap.length;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!this.#isWorse(one, heap[parent]!)) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = one;
  }

  /** Replaces the top, and moves down past all worse ones. */
  #sink(one: T): void {
    const heap = this.#held;
    let at = 0;
    for (let child = 1; child < heap.length; child = 2 * at + 1) {
      if (child + 1 < heap.length && this.#isWorse(heap[child + 1]!, heap[child]!)) child++;
      if (!this.#isWorse(heap[child]!, one)) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = one;
  }
}
