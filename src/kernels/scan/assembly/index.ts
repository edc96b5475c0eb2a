/**
 * The compiled scan. An instance on the memory that is scanned finds rows, one block at a time (`scan/scanner.ts`), or encodes vectors
 * (`scan/table.ts`); an instance on a memory with vectors scores the rows that were found (`scan/exact.ts`).
 */
import { productErrors, products, surelyFarther, surelyFartherAlong } from './bounds';
import { BLOCK_SHIFT, blockBytes, blocks, foundRows, four, L1, L2, marks, measures, RESIDUALS, scorer } from './layout';

export * from './layout';
export { encode, largest } from './encode';
export { scoreFound } from './exact';

/** The end of the compiler's own constants; the header must begin after it. */
export const constantsEnd: usize = __heap_base;

/**
 * Writes the rows of a block that may reach the limit to `foundRows`, in order, and returns how many. Cleared rows and those with a bit
 * of `mark` are left out. from, until: rows within the block.
 */
export function collect(block: i32, from: i32, until: i32, query: usize, mark: i32, limit: f32): i32 {
  const start = blocks + <usize>block * blockBytes;
  const limits = f32x4.splat(limit);
  let count = 0;
  for (let j: usize = from & ~3; j < <usize>until; j += 4) {
    let below: v128;
    if (scorer == L2) below = surelyFarther(start, query, j, products(start, query, j), limits);
    else if (scorer == L1) below = surelyFartherAlong(start, query, j, limits);
    else below = f32x4.lt(f32x4.add(products(start, query, j), productErrors(start, query, j)), limits);
    const lanes = i32x4.bitmask(below) ^ 15;
    if (lanes != 0) count = take(lanes, start, block, <i32>j, from, until, mark, count);
  }
  return count;
}

/** Adds the rows of these lanes to `foundRows`, but for those that are not to be found; returns the new count. */
function take(
  lanes: i32, start: usize, block: i32, j: i32, from: i32, until: i32, mark: i32, count: i32,
): i32 {
  for (let lane = 0; lane < 4; lane++) {
    if (((lanes >> lane) & 1) == 0 || !counts(start, j + lane, from, until, mark)) continue;
    store<i32>(foundRows + (<usize>count << 2), (block << BLOCK_SHIFT) + j + lane);
    count++;
  }
  return count;
}

// @ts-ignore: decorator
@inline
function counts(start: usize, j: i32, from: i32, until: i32, mark: i32): bool {
  if (j < from || j >= until || (load<u8>(start + marks + <usize>j) & mark) != 0) return false;
  return load<f32>(start + measures + (<usize>(j >> 2) << 6) + RESIDUALS + (<usize>(j & 3) << 2)) >= 0;
}
