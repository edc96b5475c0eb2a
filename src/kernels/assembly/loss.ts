import { exponential, log1p, logarithm } from './exponential';
import { LOGISTIC, loss, margin, negativeWeight } from './layout';
import { maxLane, sumLanes } from './vector';

/** Results of the last `weigh`: the anchor's loss, and ∂loss/∂(positive score). */
export let anchorLoss: f32 = 0;
export let positiveWeight: f32 = 0;

/**
 * Turns one anchor's masked scores into ∂loss/∂score, in place. The formulas are in `model/losses.ts`.
 * end: bytes of scores, a multiple of 16; negatives: how many are unmasked.
 */
export function weigh(scores: usize, end: usize, negatives: i32, positive: f32): void {
  if (loss == LOGISTIC) weighLogistic(scores, end, negatives, positive);
  else weighSoftmax(scores, end, positive);
}

function weighSoftmax(scores: usize, end: usize, positive: f32): void {
  let tops = f32x4.splat(positive);
  for (let j: usize = 0; j < end; j += 16) tops = f32x4.max(tops, v128.load(scores + j));
  const top = maxLane(tops);
  let sums = f32x4.splat(0);
  for (let j: usize = 0; j < end; j += 16) {
    const term = exponential(f32x4.sub(v128.load(scores + j), f32x4.splat(top)));
    v128.store(scores + j, term);
    sums = f32x4.add(sums, term);
  }
  const sum = negativeWeight * sumLanes(sums);
  const partition = f32x4.extract_lane(exponential(f32x4.splat(positive - top)), 0) + sum;
  const share = f32x4.splat(negativeWeight / partition);
  for (let j: usize = 0; j < end; j += 16) v128.store(scores + j, f32x4.mul(share, v128.load(scores + j)));
  positiveWeight = -sum / partition;
  anchorLoss = top - positive + logarithm(partition);
}

function weighLogistic(scores: usize, end: usize, negatives: i32, positive: f32): void {
  const balance = f32x4.splat(negatives > 0 ? <f32>1 / <f32>negatives : 0);
  const shift = f32x4.splat(margin);
  let sums = f32x4.splat(0);
  for (let j: usize = 0; j < end; j += 16) {
    const x = f32x4.add(v128.load(scores + j), shift);
    const tail = exponential(f32x4.neg(f32x4.abs(x)));
    v128.store(scores + j, f32x4.mul(balance, sigmoid(x, tail)));
    sums = f32x4.add(sums, softplus(x, tail));
  }
  const missed = f32x4.splat(-(positive + margin));
  const tail = exponential(f32x4.neg(f32x4.abs(missed)));
  positiveWeight = -f32x4.extract_lane(sigmoid(missed, tail), 0);
  anchorLoss =
    f32x4.extract_lane(softplus(missed, tail), 0) + sumLanes(sums) * f32x4.extract_lane(balance, 0);
}

/** 1 / (1 + e^−x), given tail = e^−|x|. */
// @ts-ignore: decorator
@inline
function sigmoid(x: v128, tail: v128): v128 {
  const one = f32x4.splat(1);
  const above = v128.bitselect(tail, one, f32x4.lt(x, f32x4.splat(0)));
  return f32x4.div(above, f32x4.add(one, tail));
}

/** log(1 + e^x), given tail = e^−|x|. */
// @ts-ignore: decorator
@inline
function softplus(x: v128, tail: v128): v128 {
  return f32x4.add(f32x4.max(x, f32x4.splat(0)), log1p(tail));
}
