import { intAt, rowAt, rowBytes, vectorBytes } from './layout';
import { storePair } from './vector';

const CACHE_LINE: usize = 64;

/**
 * Brings rows into the cache. WebAssembly has no prefetch, but a loop that only reads has many cache lines in flight,
 * where a loop that copies waits for one or two rows at a time.
 */
export function touchRows(rows: usize, count: usize): void {
  for (let i: usize = 0; i < count; i++) {
    const row = rowAt(intAt(rows, i));
    let k: usize = 0;
    for (; k + 4 * CACHE_LINE <= rowBytes; k += 4 * CACHE_LINE) {
      load<i32>(row + k);
      load<i32>(row + k, CACHE_LINE);
      load<i32>(row + k, 2 * CACHE_LINE);
      load<i32>(row + k, 3 * CACHE_LINE);
    }
    for (; k < rowBytes; k += CACHE_LINE) load<i32>(row + k);
  }
}

/** Whether the row belongs to another shard: its accumulator is negative. */
// @ts-ignore: decorator
@inline
export function isForeign(row: i32): bool {
  return load<f32>(rowAt(row) + vectorBytes) < 0;
}

/** Copies a table row's vector into a block. */
export function copyRow(row: i32, to: usize): void {
  const from = rowAt(row);
  for (let k: usize = 0; k < vectorBytes; k += 32) storePair(to + k, v128.load(from + k), v128.load(from + k, 16));
}

/** Writes an entity's vector plus a relation's vector into a block. */
export function translate(entity: i32, relationRow: i32, to: usize): void {
  const a = rowAt(entity);
  const b = rowAt(relationRow);
  for (let k: usize = 0; k < vectorBytes; k += 32) {
    const left = f32x4.add(v128.load(a + k), v128.load(b + k));
    const right = f32x4.add(v128.load(a + k, 16), v128.load(b + k, 16));
    storePair(to + k, left, right);
  }
}
