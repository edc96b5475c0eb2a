import { TopRows } from '../../graph/nearest.ts';

/** How many nearest neighbours are compared. */
const NEIGHBOURS = 10;

/** How far two stores agree on nearest neighbours. */
export interface Overlap {
  /** Entities whose neighbours were compared. */
  readonly asked: number;
  /** Entities among which the neighbours were searched, the asked ones included. */
  readonly among: number;
  /** Neighbours per entity: 10, or fewer where there are fewer other entities. */
  readonly k: number;
  /** Mean share of the k nearest in A that are among the k nearest in B. */
  readonly shared: number;
  /** The share that two random orders would have. */
  readonly chance: number;
}

/**
 * Compares the nearest neighbours, by cosine, of the first `asked` entities among all entities. as, bs: vectors in A and
 * in B, in the same order of entities. undefined where there is no other entity.
 */
export function neighbourOverlap(
  { vectors: as, dim: dimA }: Vectors,
  { vectors: bs, dim: dimB }: Vectors,
  asked: number,
): Overlap | undefined {
  const among = as.length / dimA;
  const k = Math.min(NEIGHBOURS, among - 1);
  const queries = Math.min(asked, among);
  if (k < 1 || queries < 1) return undefined;
  const [unitA, unitB] = [unitRows(as, dimA), unitRows(bs, dimB)];
  let shared = 0;
  for (let query = 0; query < queries; query++) {
    const inA = new Set(nearestRows(unitA, dimA, query, k));
    shared += nearestRows(unitB, dimB, query, k).filter((row) => inA.has(row)).length;
  }
  return { asked: queries, among, k, shared: shared / (queries * k), chance: k / (among - 1) };
}

/** Vectors of the same entities in one store: [n, dim]. */
export interface Vectors {
  readonly vectors: Float32Array;
  readonly dim: number;
}

/** Rows scaled to length 1. A row of zeros stays zero and is near nothing. */
function unitRows(vectors: Float32Array, dim: number): Float32Array {
  const units = Float32Array.from(vectors);
  for (let at = 0; at < units.length; at += dim) {
    const row = units.subarray(at, at + dim);
    let square = 0;
    for (const value of row) square += value * value;
    if (square === 0) continue;
    const factor = 1 / Math.sqrt(square);
    for (let i = 0; i < dim; i++) row[i]! *= factor;
  }
  return units;
}

/** The k other rows with the highest dot product with row `query`, best first. */
function nearestRows(units: Float32Array, dim: number, query: number, k: number): number[] {
  const best = new TopRows(k);
  const start = query * dim;
  for (let other = 0, at = 0; at < units.length; other++, at += dim) {
    if (other === query) continue;
    let score = 0;
    for (let i = 0; i < dim; i++) score += units[start + i]! * units[at + i]!;
    best.offer(other, score);
  }
  return best.rows;
}
