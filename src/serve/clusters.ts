import { KMeans } from './interests.ts';
import type { Later } from './shared-passes.ts';
import type { VectorTable } from './vector-table.ts';

/** Clusters are made again after this time: vectors move. */
const REMAKE_MS = 600_000;

/** The clusters of a table, as of a moment. */
interface Clustered {
  readonly madeAt: number;
  /** undefined while they are made. */
  centroids: readonly Float64Array[] | undefined;
}

/**
 * The clusters of a table's vectors, from a sample of them. They are made when somebody asks for them, in steps of a few
 * milliseconds between which other work gets its turn, and made again when they are old.
 */
export class Clusters {
  readonly #later: Later;
  readonly #clock: () => number;
  readonly #below: (n: number) => number;
  readonly #tables = new WeakMap<VectorTable, Clustered>();

  /** clock: ms; below: a random whole number below the one given. */
  constructor(later: Later, clock: () => number, below: (n: number) => number) {
    this.#later = later;
    this.#clock = clock;
    this.#below = below;
  }

  /** The centres of the clusters; undefined while they are made for the first time, or the table is empty. */
  centroids(table: VectorTable): readonly Float64Array[] | undefined {
    return this.#of(table)?.centroids;
  }

  #of(table: VectorTable): Clustered | undefined {
    const known = this.#tables.get(table);
    const now = this.#clock();
    if (known !== undefined && now - known.madeAt < REMAKE_MS) return known;
    const points = this.#sample(table);
    if (points.length === 0) return undefined;
    // Old centres serve until there are new ones.
    const made: Clustered = { madeAt: now, centroids: known?.centroids };
    this.#tables.set(table, made);
    const kMeans = new KMeans(points, this.#below);
    const step = () => {
      kMeans.step();
      if (kMeans.done) made.centroids = kMeans.centroids;
      else this.#later(step);
    };
    this.#later(step);
    return made;
  }

  /** Copies: the vectors go on to move. */
  #sample({ scan }: VectorTable): Float32Array[] {
    const points: Float32Array[] = [];
    for (let i = Math.min(scan.rows, KMeans.mostPoints); i > 0; i--) {
      const row = this.#below(scan.rows);
      if (scan.has(row)) points.push(scan.vector(row).slice());
    }
    return points;
  }
}
