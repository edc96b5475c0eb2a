import type { ScorerName } from '../../../src/model/settings.ts';
import type { Random } from '../../../src/sampling/random.ts';

export const SCORERS: readonly ScorerName[] = ['transe-l1', 'transe-l2', 'transe-l2-squared', 'twhin'];

/** The vectors of a `Map`: what a scan table has to be like. */
export class PlainVectors {
  readonly dim: number;
  readonly #byRow = new Map<number, Float32Array>();
  rows = 0;

  constructor(dim: number) {
    this.dim = dim;
  }

  has(row: number): boolean {
    return this.#byRow.has(row);
  }

  vector(row: number): Float32Array {
    const vector = this.#byRow.get(row);
    if (vector === undefined) throw new Error(`row ${row} has no vector`);
    return vector;
  }

  write(row: number, vector: Float32Array): void {
    this.#byRow.set(row, Float32Array.from(vector));
    this.rows = Math.max(this.rows, row + 1);
  }

  clear(row: number): void {
    this.#byRow.delete(row);
  }
}

/** A bell curve about 0 with a spread of 1, near enough: the sum of twelve uniform numbers. */
function bell(random: Random): number {
  let sum = -6;
  for (let i = 0; i < 12; i++) sum += random.uniform();
  return sum;
}

/** Makers of vectors that are hard on a bound, by what they are like. Each gives row after row. */
export const WORLDS: Readonly<Record<string, (dim: number, random: Random) => () => Float32Array>> = {
  'in clusters': (dim, random) => {
    const centres = Array.from({ length: 8 }, () => Float32Array.from({ length: dim }, () => bell(random)));
    return () => centres[random.next() % 8]!.map((value) => value + 0.3 * bell(random));
  },
  'nearer to each other than their codes can tell': (dim, random) => {
    const centre = Float32Array.from({ length: dim }, () => bell(random));
    return () => centre.map((value) => value * (1 + 2e-3 * bell(random)));
  },
  'nearer to each other than float32 can tell, far from the origin': (dim, random) => {
    const centre = Float32Array.from({ length: dim }, () => 1 + random.uniform());
    return () => centre.map((value) => value + 2 ** -22 * (random.next() % 4));
  },
  'exact in their codes, with many equal distances': (dim, random) => () => {
    const vector = Float32Array.from({ length: dim }, () => 100 + (random.next() % 3));
    vector[0] = 127;
    return vector;
  },
  'exact in their codes but for the scale': (dim, random) => () => {
    const vector = Float32Array.from({ length: dim }, () => 0.1 * ((random.next() % 255) - 127));
    vector[0] = 12.7;
    return vector;
  },
  'one of ten, each many times': (dim, random) => {
    const ten = Array.from({ length: 10 }, () => Float32Array.from({ length: dim }, () => bell(random)));
    return () => ten[random.next() % 10]!;
  },
  'all equal': (dim, random) => {
    const one = Float32Array.from({ length: dim }, () => bell(random));
    return () => one;
  },
  'zero, mostly': (dim, random) => () =>
    Float32Array.from({ length: dim }, () => (random.next() % (8 * dim) === 0 ? bell(random) : 0)),
  'with one large number each': (dim, random) => () => {
    const vector = Float32Array.from({ length: dim }, () => 1e-3 * bell(random));
    vector[random.next() % dim] = 50;
    return vector;
  },
  'of every size from 1e-30 to 1e18': (dim, random) => () => {
    const size = 10 ** (48 * random.uniform() - 30);
    return Float32Array.from({ length: dim }, () => size * bell(random));
  },
  'all about 1e18': (dim, random) => () =>
    Float32Array.from({ length: dim }, () => 1e18 * (1 + 0.1 * bell(random))),
  'all about 1e-30': (dim, random) => () => Float32Array.from({ length: dim }, () => 1e-30 * bell(random)),
  'at the least that float32 holds': (dim, random) => () =>
    Float32Array.from({ length: dim }, () => 2 ** -149 * Math.round(200 * bell(random))),
  'at the most that float32 holds': (dim, random) => () =>
    Float32Array.from({ length: dim }, () => 3.4e38 * (2 * random.uniform() - 1)),
  'at the limit of what has a bound': (dim, random) => () =>
    Float32Array.from({ length: dim }, () => (2 ** 56 / Math.sqrt(dim)) * (1 + 1e-2 * bell(random))),
};
