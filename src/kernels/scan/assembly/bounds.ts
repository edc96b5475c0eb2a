/**
 * What is known of the scores of four rows, side by side, before they are computed exactly. Each function gives the lanes of
 * rows that surely score lower than a limit. `scan/query.ts` derives the coefficients and limits, and shows
 * that these comparisons hold in spite of float32. Each `surely…` is false where a number is NaN.
 */
import { absoluteDistance } from '../../assembly/vector';
import {
  codeBytes, four, LENGTHS, queryCodes, queryFloats, RESIDUALS, SCALES, SUMS, vectorBytes, vectors,
} from './layout';

/** Coefficient `i` of the query, in each lane. */
// @ts-ignore: decorator
@inline
function coefficient(query: usize, i: usize): v128 {
  return v128.load32_splat(query + (i << 2));
}

/** The sums of the four lanes of a, b, c and d, side by side. */
// @ts-ignore: decorator
@inline
function sumEach(a: v128, b: v128, c: v128, d: v128): v128 {
  const ab = i32x4.add(v128.shuffle<i32>(a, b, 0, 4, 1, 5), v128.shuffle<i32>(a, b, 2, 6, 3, 7));
  const cd = i32x4.add(v128.shuffle<i32>(c, d, 0, 4, 1, 5), v128.shuffle<i32>(c, d, 2, 6, 3, 7));
  return i32x4.add(v128.shuffle<i64>(ab, cd, 0, 2), v128.shuffle<i64>(ab, cd, 1, 3));
}

/** The integer dot products of four rows' codes and the query's codes of 7 bits, exact. */
// @ts-ignore: decorator
@inline
function products7(block: usize, query: usize, j: usize): v128 {
  const u = query + queryCodes;
  const first = block + j * codeBytes;
  const second = first + codeBytes;
  const third = second + codeBytes;
  const fourth = third + codeBytes;
  let a = i32x4.splat(0);
  let b = a;
  let c = a;
  let d = a;
  // The query's codes are 0 … 127: for others, the result would depend on the machine.
  for (let k: usize = 0; k < codeBytes; k += 16) {
    const x = v128.load(u + k);
    a = i32x4.relaxed_dot_i8x16_i7x16_add_s(v128.load(first + k), x, a);
    b = i32x4.relaxed_dot_i8x16_i7x16_add_s(v128.load(second + k), x, b);
    c = i32x4.relaxed_dot_i8x16_i7x16_add_s(v128.load(third + k), x, c);
    d = i32x4.relaxed_dot_i8x16_i7x16_add_s(v128.load(fourth + k), x, d);
  }
  return sumEach(a, b, c, d);
}

/** The integer dot products of four rows' codes and the query's codes of 16 bits, exact. */
// @ts-ignore: decorator
@inline
function products16(block: usize, query: usize, j: usize): v128 {
  const u = query + queryCodes;
  const first = block + j * codeBytes;
  const second = first + codeBytes;
  const third = second + codeBytes;
  const fourth = third + codeBytes;
  let a = i32x4.splat(0);
  let b = a;
  let c = a;
  let d = a;
  for (let k: usize = 0; k < codeBytes; k += 8) {
    const x = v128.load(u + (k << 1));
    a = i32x4.add(a, i32x4.dot_i16x8_s(v128.load_ext<i8>(first + k), x));
    b = i32x4.add(b, i32x4.dot_i16x8_s(v128.load_ext<i8>(second + k), x));
    c = i32x4.add(c, i32x4.dot_i16x8_s(v128.load_ext<i8>(third + k), x));
    d = i32x4.add(d, i32x4.dot_i16x8_s(v128.load_ext<i8>(fourth + k), x));
  }
  return sumEach(a, b, c, d);
}

/**
 * (query · row) of the decoded vectors times the factor in coefficients 0 and 1. The query has codes of 7 bits where the build
 * has relaxed SIMD, and of 16 bits otherwise: slower, with a tenth of the query's residual or less.
 */
// @ts-ignore: decorator
@inline
export function products(block: usize, query: usize, j: usize): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return decoded(products7(block, query, j), block, query, j);
  return decoded(products16(block, query, j), block, query, j);
}

// @ts-ignore: decorator
@inline
function decoded(integers: v128, block: usize, query: usize, j: usize): v128 {
  const scaled = f32x4.mul(f32x4.convert_i32x4_s(integers), four(block, SCALES, j));
  return f32x4.add(
    f32x4.mul(scaled, coefficient(query, 0)),
    f32x4.mul(four(block, SUMS, j), coefficient(query, 1)),
  );
}

/** L2: lanes surely farther than `far`, which allows for the query's residual. product: of `products`. */
// @ts-ignore: decorator
@inline
export function surelyFarther(block: usize, query: usize, j: usize, product: v128, far: v128): v128 {
  const length = four(block, LENGTHS, j);
  const square = f32x4.add(f32x4.mul(f32x4.mul(length, length), coefficient(query, 2)), coefficient(query, 3));
  // The residual of a cleared row is −∞: the row is farther than any finite limit.
  const limit = f32x4.pmax(f32x4.splat(0), f32x4.add(far, four(block, RESIDUALS, j)));
  return f32x4.gt(f32x4.add(square, product), f32x4.mul(limit, limit));
}

/** Dot product: the most by which each exact score differs from the decoded product. */
// @ts-ignore: decorator
@inline
export function productErrors(block: usize, query: usize, j: usize): v128 {
  return f32x4.add(
    f32x4.mul(four(block, LENGTHS, j), coefficient(query, 2)),
    f32x4.mul(four(block, RESIDUALS, j), coefficient(query, 3)),
  );
}

/** The L1 distances of four rows in float32. */
// @ts-ignore: decorator
@inline
export function taxicabs(block: usize, query: usize, j: usize): v128 {
  const x = query + queryFloats;
  const first = block + vectors + j * vectorBytes;
  let all = f32x4.splat(absoluteDistance(x, first, vectorBytes));
  all = f32x4.replace_lane(all, 1, absoluteDistance(x, first + vectorBytes, vectorBytes));
  all = f32x4.replace_lane(all, 2, absoluteDistance(x, first + 2 * vectorBytes, vectorBytes));
  return f32x4.replace_lane(all, 3, absoluteDistance(x, first + 3 * vectorBytes, vectorBytes));
}
