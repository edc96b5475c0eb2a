/** The largest finite float32. */
const MAX = (2 - 2 ** -23) * 2 ** 127;

/**
 * A float32 below `x`, by at least 2^-22 of it and 2^-146: by more than a few float32 operations beside it can lose to
 * rounding and to underflow. x: any but +∞.
 */
export function floor32(x: number): number {
  const below = x - Math.abs(x) * 2 ** -22 - 2 ** -146;
  return below > MAX ? MAX : Math.fround(below);
}

/** A float32 above `x`, as `floor32` is below it; +∞ above the largest. x: any but −∞. */
export function ceil32(x: number): number {
  return -floor32(-x);
}
