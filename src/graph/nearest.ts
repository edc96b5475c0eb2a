import type { EntityKey } from './entity.ts';
import type { GraphStore } from './graph-store.ts';

export interface Neighbour {
  readonly entity: EntityKey;
  /** Cosine, −1 … 1. */
  readonly score: number;
}

/**
 * The `count` entities whose vectors have the highest cosine with the vector of `row`, best first, as of the checkpoint. Reads every
 * vector. The entity of `row` itself is left out. A vector of zeros is near nothing.
 */
export async function nearest(store: GraphStore, row: number, count: number): Promise<Neighbour[]> {
  const { dim, relations } = store.layout;
  const [own] = await store.readRows([row]);
  const length = own ? norm(own, dim) : 0;
  if (own === undefined || length === 0) return [];
  // Sorting keeps the order of equal scores.
  const best: { row: number; score: number }[] = [];
  let least = Number.NEGATIVE_INFINITY;
  const cut = () => {
    best.sort((a, b) => b.score - a.score).splice(count);
    least = best[count - 1]?.score ?? least;
  };
  for await (const other of store.rows()) {
    if (other.row === row || other.row < 2 * relations.length) continue;
    const otherLength = norm(other.floats, dim);
    const score = dot(own, other.floats, dim) / (length * otherLength);
    if (otherLength > 0 && score > least) best.push({ row: other.row, score });
    if (best.length === 2 * count) cut();
  }
  cut();
  const keys = await store.entityEntries.keysAt(best.map(({ row }) => row));
  return best.flatMap(({ score }, i) => {
    const entity = keys[i];
    return entity === undefined ? [] : [{ entity, score }];
  });
}

/** The L2 length of the first `dim` numbers. */
export function norm(floats: Float32Array, dim: number): number {
  return Math.sqrt(dot(floats, floats, dim));
}

/** The dot product of the first `dim` numbers. */
export function dot(a: Float32Array, b: Float32Array, dim: number): number {
  let sum = 0;
  for (let i = 0; i < dim; i++) sum += (a[i] ?? 0) * (b[i] ?? 0);
  return sum;
}
