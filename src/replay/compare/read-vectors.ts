import type { GraphStore } from '../../graph/graph-store.ts';

const READ_ROWS = 1024;

/** Vectors of rows, in the order asked: [n, dim]; zeros where none is stored. */
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
