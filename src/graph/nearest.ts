import type { EntityKey } from './entity.ts';
import type { GraphStore } from './graph-store.ts';

export interface Neighbour {
  readonly entity: EntityKey;
  /** Cosine, −1 … 1. */
  readonly score: number;
}

/**
 * The `count` entities whose vectors point most the way of the given one, best first, by a look at every vector.
 * row: the entity's own, left out. A vector of zeros is near nothing.
 */
export async function nearest(store: GraphStore, row: number, count: number): Promise<Neighbour[]> {
  const { dim, relations } = store.layout;
  const [own] = await store.readRows([row]);
  const length = own ? norm(own.floats, dim) : 0;
  if (own === undefined || length === 0) return [];
  const best: { row: number; score: number }[] = [];
  for await (const other of store.rows()) {
    if (other.row === row || other.row < 2 * relations.length) continue;
    const otherLength = norm(other.floats, dim);
    if (otherLength === 0) continue;
    const score = dot(own.floats, other.floats, dim) / (length * otherLength);
    if (best.length === count && score <= (best[count - 1]?.score ?? 1)) continue;
    const at = best.findIndex((each) => each.score < score);
    best.splice(at === -1 ? best.length : at, 0, { row: other.row, score });
    if (best.length > count) best.pop();
  }
  const names = await namesOf(store, new Set(best.map((each) => each.row)));
  return best.flatMap(({ row: found, score }) => {
    const entity = names.get(found);
    return entity === undefined ? [] : [{ entity, score }];
  });
}

/** Length of the first `dim` numbers. */
export function norm(floats: Float32Array, dim: number): number {
  return Math.sqrt(dot(floats, floats, dim));
}

/** Of the first `dim` numbers. */
export function dot(a: Float32Array, b: Float32Array, dim: number): number {
  let sum = 0;
  for (let i = 0; i < dim; i++) sum += (a[i] ?? 0) * (b[i] ?? 0);
  return sum;
}

/** Names are kept by name, not by row: one look at every entity, until all are found. */
async function namesOf(store: GraphStore, rows: Set<number>): Promise<Map<number, EntityKey>> {
  const names = new Map<number, EntityKey>();
  if (rows.size === 0) return names;
  for await (const { key, row } of store.entities()) {
    if (rows.has(row)) names.set(row, key);
    if (names.size === rows.size) break;
  }
  return names;
}
