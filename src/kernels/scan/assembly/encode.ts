/** A vector on its way into the table: `scan/table.ts` puts it where it comes in, and calls these. The plain form is in its test. */
import { upper } from './exact';
import { incoming, sums, vectorBytes } from './layout';

/** Adding this to a small number leaves the nearest integer in the low half of the bits; taking it away gives that integer. */
const ROUND: f64 = 1.5 * 4503599627370496;

/** The largest |number| of the vector; NaN where one is NaN. Without their sign, floats are in the order of their bits, with NaN last. */
export function largest(): f32 {
  const sizes = i32x4.splat(0x7fffffff);
  let near = i32x4.splat(0);
  let far = i32x4.splat(0);
  for (let k: usize = 0; k < vectorBytes; k += 32) {
    near = i32x4.max_s(near, v128.and(v128.load(incoming + k), sizes));
    far = i32x4.max_s(far, v128.and(v128.load(incoming + k, 16), sizes));
  }
  const most = i32x4.max_s(near, far);
  const left = max(i32x4.extract_lane(most, 0), i32x4.extract_lane(most, 1));
  return reinterpret<f32>(max(left, max(i32x4.extract_lane(most, 2), i32x4.extract_lane(most, 3))));
}

/**
 * Writes the codes of the vector to their place, and leaves three sums over its numbers: of the codes, of their squares, and of the
 * squares of what the codes lose. Sums of codes are exact in any order; the third one is that of four sums, of every fourth
 * number each.
 */
export function encode(codes: usize, scale: f64, perUnit: f64): void {
  const scales = f64x2.splat(scale);
  const perUnits = f64x2.splat(perUnit);
  let sum = i32x4.splat(0);
  let squares = i32x4.splat(0);
  let lost01 = f64x2.splat(0);
  let lost23 = f64x2.splat(0);
  for (let k: usize = 0; k < vectorBytes; k += 32) {
    const near = v128.load(incoming + k);
    const far = v128.load(incoming + k, 16);
    const value01 = f64x2.promote_low_f32x4(near);
    const value23 = f64x2.promote_low_f32x4(upper(near));
    const value45 = f64x2.promote_low_f32x4(far);
    const value67 = f64x2.promote_low_f32x4(upper(far));
    const code01 = f64x2.add(f64x2.mul(value01, perUnits), f64x2.splat(ROUND));
    const code23 = f64x2.add(f64x2.mul(value23, perUnits), f64x2.splat(ROUND));
    const code45 = f64x2.add(f64x2.mul(value45, perUnits), f64x2.splat(ROUND));
    const code67 = f64x2.add(f64x2.mul(value67, perUnits), f64x2.splat(ROUND));
    lost01 = f64x2.add(lost01, lost(value01, scales, code01));
    lost23 = f64x2.add(lost23, lost(value23, scales, code23));
    lost01 = f64x2.add(lost01, lost(value45, scales, code45));
    lost23 = f64x2.add(lost23, lost(value67, scales, code67));
    const words = i16x8.narrow_i32x4_s(
      v128.shuffle<i32>(code01, code23, 0, 2, 4, 6),
      v128.shuffle<i32>(code45, code67, 0, 2, 4, 6),
    );
    v128.store64_lane(codes + (k >> 2), i8x16.narrow_i16x8_s(words, words), 0);
    sum = i32x4.add(sum, i32x4.extadd_pairwise_i16x8_s(words));
    squares = i32x4.add(squares, i32x4.dot_i16x8_s(words, words));
  }
  store<f64>(sums, <f64>added(sum));
  store<f64>(sums, <f64>added(squares), 8);
  const pairs = f64x2.add(lost01, lost23);
  store<f64>(sums, f64x2.extract_lane(pairs, 0) + f64x2.extract_lane(pairs, 1), 16);
}

/** The squares of what codes lose of their values. code: still with ROUND. */
// @ts-ignore: decorator
@inline
function lost(values: v128, scales: v128, code: v128): v128 {
  const difference = f64x2.sub(values, f64x2.mul(scales, f64x2.sub(code, f64x2.splat(ROUND))));
  return f64x2.mul(difference, difference);
}

// @ts-ignore: decorator
@inline
function added(lanes: v128): i32 {
  const left = i32x4.extract_lane(lanes, 0) + i32x4.extract_lane(lanes, 1);
  return left + i32x4.extract_lane(lanes, 2) + i32x4.extract_lane(lanes, 3);
}
