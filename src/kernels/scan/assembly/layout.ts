/**
 * Addresses, and the scorer. `scan/scanner.ts` and `scan/table.ts` set those that they need by name, before the first call. All are in bytes. The
 * memory is drawn in `scan/layout.ts`.
 */

// Blocks
export let blocks: usize = 0;
export let blockBytes: usize = 0;
/** Places within a block. */
export let measures: usize = 0;
/** The marks of this scanner. */
export let marks: usize = 0;
export let vectors: usize = 0;
/** Length of a row's codes, a multiple of 16, and of its vector, a multiple of 32. */
export let codeBytes: usize = 0;
export let vectorBytes: usize = 0;

// A vector that is to be written
export let incoming: usize = 0;
/** [3] in float64. */
export let sums: usize = 0;

// A query; its coefficients come first.
export let queryCodes: usize = 0;
export let queryFloats: usize = 0;
export let queryDoubles: usize = 0;

// Results
/** [BLOCK_ROWS + 3] rows. */
export let foundRows: usize = 0;
/** [BLOCK_ROWS + 3] their scores, in float64. */
export let foundScores: usize = 0;

export let scorer: i32 = 0;
export const L1: i32 = 0;
export const L2: i32 = 1;
export const PRODUCT: i32 = 2;

/** Places within the measures of four rows. */
export const SCALES: usize = 0;
export const RESIDUALS: usize = 16;
export const LENGTHS: usize = 32;
export const SUMS: usize = 48;

/** Rows of a block, as a power of two. */
export const BLOCK_SHIFT: i32 = 10;
const BLOCK_MASK: i32 = (1 << BLOCK_SHIFT) - 1;

/** A measure of row `j` of a block, a multiple of four, and of the three rows after it. */
// @ts-ignore: decorator
@inline
export function four(block: usize, measure: usize, j: usize): v128 {
  return v128.load(block + measures + (j << 4) + measure);
}

/** The address of the row's vector. */
// @ts-ignore: decorator
@inline
export function vectorOf(row: i32): usize {
  return blocks + <usize>(row >>> BLOCK_SHIFT) * blockBytes + vectors + <usize>(row & BLOCK_MASK) * vectorBytes;
}
