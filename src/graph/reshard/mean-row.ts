import type { GraphStore, StoredRow } from '../graph-store.ts';
import type { WriteBatch } from '../store.ts';

/**
 * The mean of one relation's rows in several stores, vector and accumulator, as shards merge them in training: computed in double
 * precision. Drift grows by the move of the first store's vector, which is the one that is published.
 * rows: at least one, each [dim + 2]. One row alone, or rows that are equal, keep every bit of vector and accumulator.
 */
export function meanRow(rows: readonly StoredRow[]): StoredRow {
  const [first, ...others] = rows;
  if (first === undefined || others.length === 0) return first!;
  const floats = first.floats.slice();
  const dim = floats.length - 2;
  let squares = 0;
  for (let k = 0; k <= dim; k++) {
    let sum = first.floats[k]!;
    for (const other of others) sum += other.floats[k]!;
    floats[k] = sum / rows.length;
    const move = floats[k]! - first.floats[k]!;
    if (k < dim) squares += move * move;
  }
  // A drift of −0 would lose its sign to the addition of nothing.
  if (squares > 0) floats[dim + 1]! += Math.sqrt(squares);
  return { row: first.row, floats, step: Math.max(...rows.map(({ step }) => step)) };
}

/** The relations' rows of a graph's stores, each the mean over all of them: the same rows for every store. */
export async function meanRelations(stores: readonly GraphStore[]): Promise<readonly StoredRow[]> {
  const rows = stores[0]!.layout.relations.flatMap((_, relation) => [2 * relation, 2 * relation + 1]);
  const all = await Promise.all(stores.map((store) => store.readRows(rows)));
  return rows.flatMap((_, i) => {
    const found = all.flatMap((each) => each[i] ?? []);
    return found.length === 0 ? [] : [meanRow(found)];
  });
}

/** Rows as a batch writes them, in memory of their own. */
export function rowsOf(stored: readonly StoredRow[], dim: number): NonNullable<WriteBatch['rows']> {
  const floats = new Float32Array(stored.length * (dim + 2));
  stored.forEach((each, i) => {
    floats.set(each.floats, i * (dim + 2));
  });
  return {
    dim,
    rows: Int32Array.from(stored, ({ row }) => row),
    floats,
    steps: Float64Array.from(stored, ({ step }) => step),
    erased: new Set(),
  };
}
