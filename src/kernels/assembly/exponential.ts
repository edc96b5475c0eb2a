/** As in `model/losses.ts`: an exponent below gives exactly 0. */
export const NEGLIGIBLE_EXPONENT: f32 = -25;

/**
 * e^x for x ≤ 0 in each lane, exactly 0 below −25.
 * x = n · ln 2 + r, and a polynomial in r. Source: Cephes, `expf.c`.
 */
// @ts-ignore: decorator
@inline
export function exponential(x: v128): v128 {
  const live = f32x4.ge(x, f32x4.splat(NEGLIGIBLE_EXPONENT));
  const bounded = f32x4.max(x, f32x4.splat(NEGLIGIBLE_EXPONENT));
  const n = f32x4.nearest(f32x4.mul(bounded, f32x4.splat(1.44269504)));
  // ln 2 in two parts, so that n · ln 2 loses no bits.
  const rough = f32x4.sub(bounded, f32x4.mul(n, f32x4.splat(0.693359375)));
  const r = f32x4.add(rough, f32x4.mul(n, f32x4.splat(2.12194440e-4)));
  let p = f32x4.splat(1.9875691500e-4);
  p = f32x4.add(f32x4.mul(p, r), f32x4.splat(1.3981999507e-3));
  p = f32x4.add(f32x4.mul(p, r), f32x4.splat(8.3334519073e-3));
  p = f32x4.add(f32x4.mul(p, r), f32x4.splat(4.1665795894e-2));
  p = f32x4.add(f32x4.mul(p, r), f32x4.splat(1.6666665459e-1));
  p = f32x4.add(f32x4.mul(p, r), f32x4.splat(5.0000001201e-1));
  p = f32x4.add(f32x4.mul(p, f32x4.mul(r, r)), f32x4.add(r, f32x4.splat(1)));
  const power = i32x4.shl(i32x4.add(i32x4.trunc_sat_f32x4_s(n), i32x4.splat(127)), 23);
  return v128.and(f32x4.mul(p, power), live);
}

/** log(1 + t) for 0 ≤ t ≤ 1 in each lane: 2 · artanh(t / (2 + t)), its series up to the 11th power. */
// @ts-ignore: decorator
@inline
export function log1p(t: v128): v128 {
  const z = f32x4.div(t, f32x4.add(t, f32x4.splat(2)));
  const square = f32x4.mul(z, z);
  let p = f32x4.splat(2.0 / 11.0);
  p = f32x4.add(f32x4.mul(p, square), f32x4.splat(2.0 / 9.0));
  p = f32x4.add(f32x4.mul(p, square), f32x4.splat(2.0 / 7.0));
  p = f32x4.add(f32x4.mul(p, square), f32x4.splat(2.0 / 5.0));
  p = f32x4.add(f32x4.mul(p, square), f32x4.splat(2.0 / 3.0));
  p = f32x4.add(f32x4.mul(p, square), f32x4.splat(2));
  return f32x4.mul(p, z);
}

/** log x for a normal x > 0: its exponent, and the same series about 1 for its mantissa. */
export function logarithm(x: f32): f32 {
  const bits = reinterpret<i32>(x);
  const mantissa = reinterpret<f32>((bits & 0x007fffff) | 0x3f800000);
  const exponent = <f32>((bits >> 23) - 127);
  return exponent * <f32>0.69314718056 + f32x4.extract_lane(log1p(f32x4.splat(mantissa - 1)), 0);
}
