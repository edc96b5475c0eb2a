/**
 * What is known of the scores of four rows, side by side, before they are computed exactly. Each function gives the lanes of
 * rows that surely score lower than a limit. `scan/query.ts` sets the coefficients and limits; docs/adr/029 shows that
 * these comparisons hold in spite of float32. Each `surely…` is false where a number is NaN.
 */
import { multiplyAdd } from '../../assembly/vector';
import { codeBytes, four, LENGTHS, queryCodes, queryFloats, RESIDUALS, SCALES, SUMS } from './layout';

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

/** Adds the products of 16 of a row's codes and of the query's codes `x` to `sum`, exact. */
// @ts-ignore: decorator
@inline
function addProducts(codes: usize, x: v128, sum: v128): v128 {
  // The query's codes are 0 … 127: for others, the result would depend on the machine.
  return i32x4.relaxed_dot_i8x16_i7x16_add_s(v128.load(codes), x, sum);
}

/** (query · row) of the decoded vectors times the factor in coefficients 0 and 1. */
// @ts-ignore: decorator
@inline
export function products(block: usize, query: usize, j: usize): v128 {
  const u = query + queryCodes;
  const first = block + j * codeBytes;
  const second = first + codeBytes;
  const third = second + codeBytes;
  const fourth = third + codeBytes;
  let a = i32x4.splat(0);
  let b = a;
  let c = a;
  let d = a;
  for (let k: usize = 0; k < codeBytes; k += 16) {
    const x = v128.load(u + k);
    a = addProducts(first + k, x, a);
    b = addProducts(second + k, x, b);
    c = addProducts(third + k, x, c);
    d = addProducts(fourth + k, x, d);
  }
  return decoded(sumEach(a, b, c, d), block, query, j);
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

/** L1: lanes surely farther than `far`, which allows for the query's rounding to float32. */
// @ts-ignore: decorator
@inline
export function surelyFartherAlong(block: usize, query: usize, j: usize, far: v128): v128 {
  const limit = f32x4.add(
    f32x4.add(far, f32x4.mul(four(block, RESIDUALS, j), coefficient(query, 2))),
    f32x4.mul(four(block, LENGTHS, j), coefficient(query, 3)),
  );
  return f32x4.gt(decodedTaxicabs(block, query, j), limit);
}

/** The L1 distances of the query and the decoded vectors of four rows, in float32. */
// @ts-ignore: decorator
@inline
function decodedTaxicabs(block: usize, query: usize, j: usize): v128 {
  const first = block + j * codeBytes;
  const second = first + codeBytes;
  const third = second + codeBytes;
  const fourth = third + codeBytes;
  const scales = f32x4.neg(four(block, SCALES, j));
  const scaleA = v128.shuffle<f32>(scales, scales, 0, 0, 0, 0);
  const scaleB = v128.shuffle<f32>(scales, scales, 1, 1, 1, 1);
  const scaleC = v128.shuffle<f32>(scales, scales, 2, 2, 2, 2);
  const scaleD = v128.shuffle<f32>(scales, scales, 3, 3, 3, 3);
  let a = f32x4.splat(0);
  let b = a;
  let c = a;
  let d = a;
  for (let k: usize = 0; k < codeBytes; k += 8) {
    const x = query + queryFloats + (k << 2);
    const near = v128.load(x);
    const far = v128.load(x, 16);
    a = f32x4.add(a, apart(v128.load_ext<i8>(first + k), scaleA, near, far));
    b = f32x4.add(b, apart(v128.load_ext<i8>(second + k), scaleB, near, far));
    c = f32x4.add(c, apart(v128.load_ext<i8>(third + k), scaleC, near, far));
    d = f32x4.add(d, apart(v128.load_ext<i8>(fourth + k), scaleD, near, far));
  }
  const ab = f32x4.add(v128.shuffle<f32>(a, b, 0, 4, 1, 5), v128.shuffle<f32>(a, b, 2, 6, 3, 7));
  const cd = f32x4.add(v128.shuffle<f32>(c, d, 0, 4, 1, 5), v128.shuffle<f32>(c, d, 2, 6, 3, 7));
  return f32x4.add(v128.shuffle<f64>(ab, cd, 0, 2), v128.shuffle<f64>(ab, cd, 1, 3));
}

/** How far eight codes, times the scale, are from eight numbers of the query, in four sums of two. minusScale: in each lane. */
// @ts-ignore: decorator
@inline
function apart(codes: v128, minusScale: v128, near: v128, far: v128): v128 {
  const low = f32x4.convert_i32x4_s(i32x4.extend_low_i16x8_s(codes));
  const high = f32x4.convert_i32x4_s(i32x4.extend_high_i16x8_s(codes));
  return f32x4.add(
    f32x4.abs(multiplyAdd(low, minusScale, near)),
    f32x4.abs(multiplyAdd(high, minusScale, far)),
  );
}
