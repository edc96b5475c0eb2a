/** Score of what is no negative: its weight and loss are exactly 0, and it is never the largest. */
export const MASKED: f32 = -3.0e38;

/**
 * Puts MASKED where `mask` is not 0 and past `count`, up to a multiple of 8, and returns how many scores are left.
 * scores: [count to a multiple of 8] floats; mask: [count] bytes. May read 7 bytes past the mask.
 */
export function maskScores(scores: usize, mask: usize, count: usize): i32 {
  const padded = (count + 7) & ~7;
  const lanes = i32x4(0, 1, 2, 3);
  const end = i32x4.splat(<i32>count);
  const masked = f32x4.splat(MASKED);
  let kept = i32x4.splat(0);
  let clear: i32 = 0;
  let j: usize = 0;
  while (j < padded) {
    // Most of a mask is zeros: looked at sixteen at a time.
    if (j + 16 <= count && !v128.any_true(v128.load(mask + j))) {
      clear += 16;
      j += 16;
      continue;
    }
    const bytes = v128.load32_zero(mask + j);
    const flags = i32x4.extend_low_i16x8_u(i16x8.extend_low_i8x16_u(bytes));
    const inside = i32x4.lt_s(i32x4.add(i32x4.splat(<i32>j), lanes), end);
    const keep = v128.and(i32x4.eq(flags, i32x4.splat(0)), inside);
    kept = i32x4.sub(kept, keep);
    const at = scores + (j << 2);
    v128.store(at, v128.bitselect(v128.load(at), masked, keep));
    j += 4;
  }
  return (
    clear + i32x4.extract_lane(kept, 0) + i32x4.extract_lane(kept, 1) +
    (i32x4.extract_lane(kept, 2) + i32x4.extract_lane(kept, 3))
  );
}
