import { exponential, logarithm, logarithms } from './exponential';
import { LOGISTIC, loss, margin, MARGIN, negativeWeight } from './layout';
import { maxLane, storePair, sumLanes, sumPair } from './vector';

/** Results of the last `weigh`: the anchor's loss, and ∂loss/∂(positive score). */
export let anchorLoss: f32 = 0;
export let positiveWeight: f32 = 0;

/**
 * Turns the masked scores of an anchor into ∂loss/∂score, in place. The formulas are in `model/losses.ts`.
 * end: bytes of scores, a multiple of 32; negatives: the number of unmasked scores.
 */
export function weigh(scores: usize, end: usize, negatives: i32, positive: f32): void {
  if (loss == LOGISTIC) weighLogistic(scores, end, negatives, positive);
  else if (loss == MARGIN) weighMargin(scores, end, negatives, positive);
  else weighSoftmax(scores, end, positive);
}

function weighSoftmax(scores: usize, end: usize, positive: f32): void {
  let even = f32x4.splat(positive);
  let odd = even;
  for (let j: usize = 0; j < end; j += 32) {
    // pmax is one instruction; max, which handles NaN, is eight.
    even = f32x4.pmax(even, v128.load(scores + j));
    odd = f32x4.pmax(odd, v128.load(scores + j, 16));
  }
  const top = maxLane(f32x4.pmax(even, odd));
  const tops = f32x4.splat(top);
  even = f32x4.splat(0);
  odd = even;
  for (let j: usize = 0; j < end; j += 32) {
    const left = exponential(f32x4.sub(v128.load(scores + j), tops));
    const right = exponential(f32x4.sub(v128.load(scores + j, 16), tops));
    storePair(scores + j, left, right);
    even = f32x4.add(even, left);
    odd = f32x4.add(odd, right);
  }
  const sum = negativeWeight * sumPair(even, odd);
  const partition = f32x4.extract_lane(exponential(f32x4.splat(positive - top)), 0) + sum;
  const share = f32x4.splat(negativeWeight / partition);
  for (let j: usize = 0; j < end; j += 32) {
    storePair(scores + j, f32x4.mul(share, v128.load(scores + j)), f32x4.mul(share, v128.load(scores + j, 16)));
  }
  positiveWeight = -sum / partition;
  anchorLoss = top - positive + logarithm(partition);
}

/** How many numbers between 1 and 2 can be multiplied in a float without overflow. */
const FACTORS: usize = 64;

/**
 * log(1 + e^x) = max(x, 0) + log(1 + e^−|x|). The second terms are summed as the logarithm of a product: one logarithm for
 * `FACTORS` terms.
 */
function weighLogistic(scores: usize, end: usize, negatives: i32, positive: f32): void {
  const share: f32 = negatives > 0 ? <f32>1 / <f32>negatives : 0;
  const shares = f32x4.splat(share);
  const shift = f32x4.splat(margin);
  const one = f32x4.splat(1);
  const zero = f32x4.splat(0);
  let above = zero;
  let tails = zero;
  for (let start: usize = 0; start < end; start += FACTORS * 16) {
    const stop = min(end, start + FACTORS * 16);
    let factors = one;
    for (let j = start; j < stop; j += 16) {
      const x = f32x4.add(v128.load(scores + j), shift);
      const tail = exponential(f32x4.neg(f32x4.abs(x)));
      const whole = f32x4.add(one, tail);
      const sigmoid = f32x4.div(v128.bitselect(tail, one, f32x4.lt(x, zero)), whole);
      v128.store(scores + j, f32x4.mul(shares, sigmoid));
      above = f32x4.add(above, f32x4.pmax(zero, x));
      factors = f32x4.mul(factors, whole);
    }
    tails = f32x4.add(tails, logarithms(factors));
  }
  const missed = -(positive + margin);
  const tail = f32x4.extract_lane(exponential(f32x4.splat(-abs<f32>(missed))), 0);
  positiveWeight = -(missed < 0 ? tail : 1) / (1 + tail);
  anchorLoss = max<f32>(missed, 0) + logarithm(1 + tail) + share * sumLanes(f32x4.add(above, tails));
}

function weighMargin(scores: usize, end: usize, negatives: i32, positive: f32): void {
  const share: f32 = negatives > 0 ? <f32>1 / <f32>negatives : 0;
  const shares = f32x4.splat(share);
  const shift = f32x4.splat(margin - positive);
  const zero = f32x4.splat(0);
  let losses = zero;
  let weights = zero;
  for (let j: usize = 0; j < end; j += 16) {
    const short = f32x4.add(v128.load(scores + j), shift);
    const weight = v128.and(shares, f32x4.gt(short, zero));
    v128.store(scores + j, weight);
    losses = f32x4.add(losses, f32x4.pmax(zero, short));
    weights = f32x4.add(weights, weight);
  }
  positiveWeight = -sumLanes(weights);
  anchorLoss = share * sumLanes(losses);
}

/** Whether one of the first `count` corrections is not 0. */
export function anyCorrection(corrections: usize, count: usize): bool {
  for (let j: usize = 0; j < count; j++) if (load<f32>(corrections + (j << 2)) != 0) return true;
  return false;
}

/** Subtracts the candidates' corrections from their scores. end: bytes of scores, a multiple of 32. */
export function correctScores(scores: usize, end: usize, corrections: usize): void {
  for (let j: usize = 0; j < end; j += 32) {
    const left = f32x4.sub(v128.load(scores + j), v128.load(corrections + j));
    const right = f32x4.sub(v128.load(scores + j, 16), v128.load(corrections + j, 16));
    storePair(scores + j, left, right);
  }
}

/** The score of a masked candidate: weight and loss become exactly 0, and it is never the largest score. */
const MASKED: f32 = -3.0e38;

/**
 * Writes MASKED where `mask` is not 0, and past `count` up to a multiple of 8. Returns the number of unmasked scores.
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
    // Most of a mask is zeros, tested sixteen at a time.
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
