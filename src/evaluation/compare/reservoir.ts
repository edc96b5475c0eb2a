import type { Random } from '../../sampling/random.ts';

/**
 * A uniform random sample of up to `size` of the things offered.
 * Source: Vitter 1985, "Random sampling with a reservoir", algorithm R.
 */
export class Reservoir<T> {
  readonly #size: number;
  readonly #random: Random;
  readonly #kept: T[] = [];
  #offered = 0;

  constructor(size: number, random: Random) {
    this.#size = size;
    this.#random = random;
  }

  /** The number of things offered. */
  get offered(): number {
    return this.#offered;
  }

  offer(thing: T): void {
    this.#offered++;
    if (this.#kept.length < this.#size) {
      this.#kept.push(thing);
      return;
    }
    const place = this.#random.below(this.#offered);
    if (place < this.#size) this.#kept[place] = thing;
  }

  /** The sample, shuffled, so that its first n are a sample too. */
  shuffled(): T[] {
    const things = [...this.#kept];
    for (let i = things.length - 1; i > 0; i--) {
      const j = this.#random.below(i + 1);
      [things[i], things[j]] = [things[j]!, things[i]!];
    }
    return things;
  }
}
