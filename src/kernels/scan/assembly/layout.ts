/**
 * Addresses, and the scorer. `scan/scanner.ts`, `scan/exact.ts` and `scan/table.ts` set those that they need by name, before the
 * first call. All are in bytes. The memories are drawn in `scan/layout.ts`.
 */

// Blocks
export let blocks: usize = 0;
export let blockBytes: usize = 0;
/** Places within a block. */
export let measures: usize = 0;
/** The marks of this scanner. */
export let marks: usize = 0;
/** Length of a row's codes, a multiple of 16. */
export let codeBytes: usize = 0;

// A vector that is to be written
export let incoming: usize = 0;
/** [3] in float64. */
export let sums: usize = 0;

// A query; its coefficients come first.
export let queryCodes: usize = 0;
export let queryFloats: usize = 0;

// In a memory with vectors
export let vectors: usize = 0;
/** Length of a vector, a multiple of 32. */
export let vectorBytes: usize = 0;
/** [BLOCK_ROWS + 3] the scores of the rows that were found, in float64. */
export let foundScores: usize = 0;

/** [BLOCK_ROWS] rows that were found; in a memory with vectors [BLOCK_ROWS + 3], counted from its first one. */
export let foundRows: usize = 0;

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

/** A measure of row `j` of a block, a multiple of four, and of the three rows after it. */
// @ts-ignore: decorator
@inline
export function four(block: usize, measure: usize, j: usize): v128 {
  return v128.load(block + measures + (j << 4) + measure);
}

/** The address of a row's vector. row: counted from the first of its memory. */
// @ts-ignore: decorator
@inline
export function vectorOf(row: i32): usize {
  return vectors + <usize>row * vectorBytes;
}
