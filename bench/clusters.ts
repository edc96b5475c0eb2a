import { Random } from '../src/sampling/random.ts';

export interface ClusterOptions {
  readonly rows: number;
  readonly dim: number;
  /** Rows about a centre. */
  readonly cluster: number;
  /** How far from their centre rows are, where centres have length 1. */
  readonly spread: number;
}

/** Vectors about centres of length 1, drawn one after the other. */
export class Clusters {
  readonly random = Random.seeded(1);
  readonly #options: ClusterOptions;
  readonly #centres: readonly Float32Array[];

  constructor(options: ClusterOptions) {
    this.#options = options;
    const centres = Math.ceil(options.rows / options.cluster);
    this.#centres = Array.from({ length: centres }, () => this.#draw(1));
  }

  /** A vector about any centre. */
  next(): Float32Array {
    return this.about(this.centre());
  }

  /** The number of any centre. */
  centre(): number {
    return this.random.below(this.#centres.length);
  }

  about(centre: number): Float32Array {
    const middle = this.#centres[centre]!;
    return this.#draw(this.#options.spread).map((value, k) => value + middle[k]!);
  }

  /** The vector of a row about a centre, moved by this distance. Rows stay as far from their centres as they were. */
  moved(vector: Float32Array, centre: number, distance: number): Float32Array {
    const { spread } = this.#options;
    const middle = this.#centres[centre]!;
    // What is kept and what is new are at a right angle, so that their squares add up to those of before.
    const kept = 1 - distance ** 2 / (2 * spread ** 2);
    const added = this.#draw(spread * Math.sqrt(1 - kept ** 2));
    return vector.map((value, k) => middle[k]! + kept * (value - middle[k]!) + added[k]!);
  }

  /** Numbers by a bell curve, of this length together. */
  #draw(length: number): Float32Array {
    const { dim } = this.#options;
    const vector = Float32Array.from({ length: dim }, () => {
      const radius = Math.sqrt(-2 * Math.log(1 - this.random.uniform()));
      return radius * Math.cos(2 * Math.PI * this.random.uniform());
    });
    return vector.map((value) => (value * length) / Math.sqrt(dim));
  }
}
