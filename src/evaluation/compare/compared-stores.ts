import type { Relation } from '../../graph/edge.ts';
import type { EntityKey } from '../../graph/entity.ts';
import type { GraphStore } from '../../graph/graph-store.ts';
import type { Head } from '../../graph/head.ts';

/** One of the two compared stores of a graph. */
export interface ComparedStore {
  readonly store: GraphStore;
  readonly head: Head;
}

/** Two stores of one graph; their models may differ. */
export interface ComparedStores {
  readonly a: ComparedStore;
  readonly b: ComparedStore;
}

/** An entity that is trained in both stores, with its row in each. */
export interface CommonEntity {
  readonly key: EntityKey;
  readonly rowA: number;
  readonly rowB: number;
}

/** Called now and then with the number of things done. */
export type OnProgress = (what: string, done: number) => void;

/** Entity types of both models, in A's order. */
export function commonTypes({ a, b }: ComparedStores): string[] {
  return a.head.model.entityTypes.filter((type) => b.head.model.entityTypes.includes(type));
}

/** Relations that are the same in both models, in A's order. */
export function commonRelations({ a, b }: ComparedStores): Relation[] {
  return a.head.model.relations.filter(({ name, lhs, rhs }) =>
    b.head.model.relations.some((other) => other.name === name && other.lhs === lhs && other.rhs === rhs),
  );
}

const READ_ROWS = 1024;

/** The vectors of rows, in the order of `rows`: [n, dim]; zeros where none is stored. */
export async function readVectors(store: GraphStore, rows: readonly number[]): Promise<Float32Array> {
  const { dim } = store.layout;
  const vectors = new Float32Array(rows.length * dim);
  for (let first = 0; first < rows.length; first += READ_ROWS) {
    const found = await store.readRows(rows.slice(first, first + READ_ROWS));
    found.forEach((row, i) => {
      if (row) vectors.set(row.floats.subarray(0, dim), (first + i) * dim);
    });
  }
  return vectors;
}
