import type { Rank } from './scan.ts';

/** Counts, of many scores, how many lie between, and at, some given ones. */
export class ScoreCounts {
  /** The given scores, ascending. */
  readonly #given: Float64Array;
  /** At the first place of each given score: the scores equal to it. */
  readonly #equal: Int32Array;
  /** At each place: the scores below the given one there and above the one before. */
  readonly #between: Int32Array;
  /** At each place: the scores below the given one there; made when they are first asked for. */
  #below: Int32Array | undefined;
  #total = 0;

  constructor(given: readonly number[]) {
    this.#given = Float64Array.from(given).sort();
    this.#equal = new Int32Array(given.length + 1);
    this.#between = new Int32Array(given.length + 1);
  }

  add(score: number): void {
    const place = this.#placeOf(score);
    if (this.#given[place] === score) this.#equal[place]!++;
    else this.#between[place]!++;
    this.#total++;
  }

  /** The rank of a given score among all that were added. */
  rankOf(score: number): Rank {
    const place = this.#placeOf(score);
    const equal = this.#equal[place]!;
    const higher = this.#total - this.#belowEach()[place]! - equal;
    return { rank: 1 + higher + equal / 2, compared: this.#total };
  }

  #belowEach(): Int32Array {
    if (this.#below !== undefined) return this.#below;
    const below = new Int32Array(this.#given.length);
    let sum = 0;
    for (let place = 0; place < below.length; place++) {
      sum += this.#between[place]!;
      below[place] = sum;
      sum += this.#equal[place]!;
    }
    this.#below = below;
    return below;
  }

  /** The first place whose given score is not lower. */
  #placeOf(score: number): number {
    let [low, high] = [0, this.#given.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#given[middle]! < score) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
