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
  const best = new TopRows(count);
  for await (const other of store.rows()) {
    if (other.row === row || other.row < 2 * relations.length) continue;
    const otherLength = norm(other.floats, dim);
    if (otherLength > 0) best.offer(other.row, dot(own, other.floats, dim) / (length * otherLength));
  }
  const index = await store.index();
  return best.rows.flatMap((found, i) => {
    const entity = index.keyAt(found);
    return entity === undefined ? [] : [{ entity, score: best.scores[i]! }];
  });
}

/** The `count` rows with the highest scores among those offered, best first; of equal scores, the first offered. */
export class TopRows {
  readonly rows: number[] = [];
  readonly scores: number[] = [];
  readonly #count: number;

  constructor(count: number) {
    this.#count = count;
  }

  offer(row: number, score: number): void {
    const { rows, scores } = this;
    if (rows.length === this.#count && !(score > (scores[this.#count - 1] ?? score))) return;
    let place = rows.length;
    while (place > 0 && scores[place - 1]! < score) place--;
    rows.splice(place, 0, row);
    scores.splice(place, 0, score);
    if (rows.length > this.#count) {
      rows.pop();
      scores.pop();
    }
  }
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
