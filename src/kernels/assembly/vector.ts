import { sums } from './layout';

/** a · b + c in each lane. The relaxed build rounds once where the processor can; the plain build rounds product and sum. */
// @ts-ignore: decorator
@inline
export function multiplyAdd(a: v128, b: v128, c: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return f32x4.relaxed_madd(a, b, c);
  return f32x4.add(c, f32x4.mul(a, b));
}

/** Sum of the four lanes. */
// @ts-ignore: decorator
@inline
export function sumLanes(v: v128): f32 {
  return (
    f32x4.extract_lane(v, 0) +
    f32x4.extract_lane(v, 2) +
    (f32x4.extract_lane(v, 1) + f32x4.extract_lane(v, 3))
  );
}

/**
 * Stores two vectors side by side. V8 packs what leads to two such stores, where it packs at all. With the lower store first,
 * V8 13.6 did that store twice.
 */
// @ts-ignore: decorator
@inline
export function storePair(to: usize, left: v128, right: v128): void {
  v128.store(to, right, 16);
  v128.store(to, left);
}

/** Sum of eight lanes, through memory: V8 packs two sums side by side only where both are stored. */
// @ts-ignore: decorator
@inline
export function sumPair(left: v128, right: v128): f32 {
  storePair(sums, left, right);
  return sumLanes(f32x4.add(v128.load(sums), v128.load(sums, 16)));
}

/** Largest of the four lanes. */
// @ts-ignore: decorator
@inline
export function maxLane(v: v128): f32 {
  return max(
    max(f32x4.extract_lane(v, 0), f32x4.extract_lane(v, 1)),
    max(f32x4.extract_lane(v, 2), f32x4.extract_lane(v, 3)),
  );
}

/** The dot product of a and b. bytes: a multiple of 32. Two sums side by side, since one sum waits for each addition. */
export function dot(a: usize, b: usize, bytes: usize): f32 {
  let even = f32x4.splat(0);
  let odd = f32x4.splat(0);
  for (let k: usize = 0; k < bytes; k += 32) {
    even = multiplyAdd(v128.load(a + k), v128.load(b + k), even);
    odd = multiplyAdd(v128.load(a + k, 16), v128.load(b + k, 16), odd);
  }
  return sumPair(even, odd);
}

/** Squared L2 distance of a and b. bytes: a multiple of 32. */
export function squaredDistance(a: usize, b: usize, bytes: usize): f32 {
  let even = f32x4.splat(0);
  let odd = f32x4.splat(0);
  for (let k: usize = 0; k < bytes; k += 32) {
    const x = f32x4.sub(v128.load(a + k), v128.load(b + k));
    const y = f32x4.sub(v128.load(a + k, 16), v128.load(b + k, 16));
    even = multiplyAdd(x, x, even);
    odd = multiplyAdd(y, y, odd);
  }
  return sumPair(even, odd);
}

/** L1 distance of a and b. bytes: a multiple of 32. */
export function absoluteDistance(a: usize, b: usize, bytes: usize): f32 {
  let even = f32x4.splat(0);
  let odd = f32x4.splat(0);
  for (let k: usize = 0; k < bytes; k += 32) {
    even = f32x4.add(even, f32x4.abs(f32x4.sub(v128.load(a + k), v128.load(b + k))));
    odd = f32x4.add(odd, f32x4.abs(f32x4.sub(v128.load(a + k, 16), v128.load(b + k, 16))));
  }
  return sumPair(even, odd);
}

/** to += from. bytes: a multiple of 32. */
// @ts-ignore: decorator
@inline
export function addTo(to: usize, from: usize, bytes: usize): void {
  for (let k: usize = 0; k < bytes; k += 32) {
    const left = f32x4.add(v128.load(to + k), v128.load(from + k));
    const right = f32x4.add(v128.load(to + k, 16), v128.load(from + k, 16));
    storePair(to + k, left, right);
  }
}

/** to += factor · from. bytes: a multiple of 32. */
// @ts-ignore: decorator
@inline
export function addScaled(to: usize, factor: f32, from: usize, bytes: usize): void {
  const f = f32x4.splat(factor);
  for (let k: usize = 0; k < bytes; k += 32) {
    const left = multiplyAdd(f, v128.load(from + k), v128.load(to + k));
    const right = multiplyAdd(f, v128.load(from + k, 16), v128.load(to + k, 16));
    storePair(to + k, left, right);
  }
}

/** The sign of x in each lane, times weight; 0 where x is 0. */
// @ts-ignore: decorator
@inline
export function signTimes(weight: v128, x: v128): v128 {
  const sign = v128.and(x, i32x4.splat(0x80000000));
  return v128.and(v128.xor(weight, sign), f32x4.ne(x, f32x4.splat(0)));
}
