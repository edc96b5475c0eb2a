import { intAt, rowAt, rowBytes, vectorBytes } from './layout';

const CACHE_LINE: usize = 64;

/**
 * Brings rows into the cache. WebAssembly has no prefetch, but a loop that only reads has many cache lines in flight,
 * where a loop that copies waits for one or two rows at a time. The first loop is for the rows' pages, whose address
 * translation is slower than the data.
 */
export function touchRows(rows: usize, count: usize): void {
  for (let i: usize = 0; i < count; i++) load<i32>(rowAt(intAt(rows, i)));
  for (let i: usize = 0; i < count; i++) {
    const row = rowAt(intAt(rows, i));
    for (let k: usize = CACHE_LINE; k < rowBytes; k += CACHE_LINE) load<i32>(row + k);
  }
}

/** Whether the row belongs to another shard: see `FOREIGN` in `model/table.ts`. */
// @ts-ignore: decorator
@inline
export function isForeign(row: i32): bool {
  return load<f32>(rowAt(row) + vectorBytes) < 0;
}

/** Copies a table row's vector into a block. */
export function copyRow(row: i32, to: usize): void {
  const from = rowAt(row);
  for (let k: usize = 0; k < vectorBytes; k += 16) v128.store(to + k, v128.load(from + k));
}

/** Writes an entity's vector plus a relation's vector into a block. */
export function translate(entity: i32, relationRow: i32, to: usize): void {
  const a = rowAt(entity);
  const b = rowAt(relationRow);
  for (let k: usize = 0; k < vectorBytes; k += 16) {
    v128.store(to + k, f32x4.add(v128.load(a + k), v128.load(b + k)));
  }
}
