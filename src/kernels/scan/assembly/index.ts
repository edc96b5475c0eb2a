/** The compiled scan: `scan/scanner.ts` sets the layout's globals by name, then calls these, one block of rows at a time. */
import { coarseProducts, fineProducts, productErrors, surelyFarther, surelyNearer, taxicabs } from './bounds';
import { scoreFound } from './exact';
import { BLOCK_SHIFT, blockBytes, blocks, foundRows, four, L1, L2, marks, measures, RESIDUALS, scorer } from './layout';

export * from './layout';
export { encode, largest } from './encode';
export { scoreFound } from './exact';

/** The end of the compiler's own constants; the header must begin after it. */
export const constantsEnd: usize = __heap_base;

/** Output of `compare`: how many rows surely have a higher score. */
export let ahead: i32 = 0;
/** Output of `compare`: how many rows there are, without marked and cleared ones. */
export let present: i32 = 0;

/**
 * Writes the rows of a block that may reach the limit to `foundRows`, in order, and their exact scores to `foundScores`;
 * returns how many. Cleared rows and those with a bit of `mark` are left out. The query has codes of 7 bits in the relaxed
 * build. from, until: rows within the block.
 */
export function collect(block: i32, from: i32, until: i32, query: usize, mark: i32, limit: f32): i32 {
  const start = blocks + <usize>block * blockBytes;
  const limits = f32x4.splat(limit);
  let count = 0;
  for (let j: usize = from & ~3; j < <usize>until; j += 4) {
    let below: v128;
    if (scorer == L2) below = surelyFarther(start, query, j, coarseProducts(start, query, j), limits);
    else if (scorer == L1) below = f32x4.gt(taxicabs(start, query, j), limits);
    else below = f32x4.lt(f32x4.add(coarseProducts(start, query, j), productErrors(start, query, j)), limits);
    const lanes = i32x4.bitmask(below) ^ 15;
    if (lanes != 0) count = take(lanes, start, block, <i32>j, from, until, mark, count);
  }
  scoreFound(count, query);
  return count;
}

/**
 * Counts the rows of a block whose score is surely higher in `ahead`, and all rows in `present`; writes the rows that may be
 * equal, or whose bounds say nothing, with their scores as `collect` does, and returns how many. lower, higher: the limits.
 * The query has codes of 16 bits in both builds.
 */
export function compare(block: i32, from: i32, until: i32, query: usize, mark: i32, lower: f32, higher: f32): i32 {
  const start = blocks + <usize>block * blockBytes;
  const lowers = f32x4.splat(lower);
  const highers = f32x4.splat(higher);
  let count = 0;
  ahead = 0;
  present = 0;
  for (let j: usize = from & ~3; j < <usize>until; j += 4) {
    const counted = countedLanes(start, <i32>j, from, until, mark);
    present += popcnt(counted);
    let below: v128;
    let above: v128;
    if (scorer == L1) {
      const distances = taxicabs(start, query, j);
      below = f32x4.gt(distances, lowers);
      above = f32x4.lt(distances, highers);
    } else {
      const product = fineProducts(start, query, j);
      if (scorer == L2) {
        below = surelyFarther(start, query, j, product, lowers);
        above = surelyNearer(start, query, j, product, highers);
      } else {
        const errors = productErrors(start, query, j);
        below = f32x4.lt(f32x4.add(product, errors), lowers);
        above = f32x4.gt(f32x4.sub(product, errors), highers);
      }
    }
    const aboveLanes = i32x4.bitmask(above);
    ahead += popcnt(aboveLanes & counted);
    const lanes = counted & ~(i32x4.bitmask(below) | aboveLanes);
    if (lanes != 0) count = take(lanes, start, block, <i32>j, from, until, mark, count);
  }
  scoreFound(count, query);
  return count;
}

/** The lanes of rows within the range that are neither cleared nor marked. */
// @ts-ignore: decorator
@inline
function countedLanes(start: usize, j: i32, from: i32, until: i32, mark: i32): i32 {
  let lanes = i32x4.bitmask(f32x4.ge(four(start, RESIDUALS, j), f32x4.splat(0)));
  const marked = load<i32>(start + marks + <usize>j) & (mark * 0x01010101);
  if (j >= from && j + 4 <= until && marked == 0) return lanes;
  for (let lane = 0; lane < 4; lane++) {
    if (!counts(start, j + lane, from, until, mark)) lanes &= ~(1 << lane);
  }
  return lanes;
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
