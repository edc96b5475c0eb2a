import { multiplyAdd } from './vector';

/** The constants of `exponential`, in memory: V8 builds a constant vector at each use, which is slower than a load. */
const NUMBERS = memory.data<f32>([
  // As in `model/losses.ts`: below this exponent the result is exactly 0.
  -25,
  // 1.5 · 2²³: adding it rounds a number to an integer, which is then in the lowest bits.
  12582912,
  // 1 / ln 2, and −ln 2 in two parts, so that n · ln 2 loses no bits.
  1.44269504, -0.693359375, 2.12194440e-4,
  // The polynomial, highest power first.
  1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1, 1,
]);

// @ts-ignore: decorator
@inline
function number(i: usize): v128 {
  return v128.load32_splat(NUMBERS + (i << 2));
}

/** e^x for x ≤ 0 in each lane, exactly 0 below −25. x = n · ln 2 + r, and a polynomial in r. Source: Cephes, `expf.c`. */
// @ts-ignore: decorator
@inline
export function exponential(x: v128): v128 {
  const live = f32x4.ge(x, number(0));
  const bounded = v128.and(x, live);
  const rounded = multiplyAdd(bounded, number(2), number(1));
  const n = f32x4.sub(rounded, number(1));
  const r = multiplyAdd(n, number(4), multiplyAdd(n, number(3), bounded));
  let p = multiplyAdd(number(5), r, number(6));
  p = multiplyAdd(p, r, number(7));
  p = multiplyAdd(p, r, number(8));
  p = multiplyAdd(p, r, number(9));
  p = multiplyAdd(p, r, number(10));
  p = multiplyAdd(p, f32x4.mul(r, r), f32x4.add(r, number(11)));
  // n, shifted to the exponent bits and added to p, multiplies p by 2ⁿ.
  const power = i32x4.shl(rounded, 23);
  return v128.and(i32x4.add(p, power), live);
}

/** log x for a normal x > 0 in each lane: exponent · ln 2 + 2 · artanh((m − 1) / (m + 1)), with the mantissa m. */
// @ts-ignore: decorator
@inline
export function logarithms(x: v128): v128 {
  const one = f32x4.splat(1);
  const mantissa = v128.or(v128.and(x, i32x4.splat(0x007fffff)), one);
  const exponent = f32x4.convert_i32x4_s(i32x4.sub(i32x4.shr_u(x, 23), i32x4.splat(127)));
  const z = f32x4.div(f32x4.sub(mantissa, one), f32x4.add(mantissa, one));
  const square = f32x4.mul(z, z);
  let p = f32x4.splat(2.0 / 11.0);
  p = multiplyAdd(p, square, f32x4.splat(2.0 / 9.0));
  p = multiplyAdd(p, square, f32x4.splat(2.0 / 7.0));
  p = multiplyAdd(p, square, f32x4.splat(2.0 / 5.0));
  p = multiplyAdd(p, square, f32x4.splat(2.0 / 3.0));
  p = multiplyAdd(p, square, f32x4.splat(2));
  return multiplyAdd(exponent, f32x4.splat(0.69314718056), f32x4.mul(p, z));
}

/** log x for a normal x > 0. */
export function logarithm(x: f32): f32 {
  return f32x4.extract_lane(logarithms(f32x4.splat(x)), 0);
}
