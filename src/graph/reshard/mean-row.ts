import type { StoredRow } from '../graph-store.ts';

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
