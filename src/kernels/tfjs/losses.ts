import { NEGLIGIBLE_EXPONENT } from '../../model/losses.ts';
import type { LossName, ModelSettings } from '../../model/settings.ts';
import { row, sumLast } from './scores.ts';
import type { Tensor, TensorFlow } from './tensorflow.ts';

/** What is added to a masked candidate's score where a loss can't be weighted by candidate: it then counts for nothing. */
export const MASKED = -1e30;

/**
 * A loss as terms, of which the weighted sum is taken: an anchor has one of its own, one for each candidate, or both, in
 * this order. Weights are the edge's; of a candidate, the edge's over the number of negatives, and 0 where it is masked.
 */
export interface TensorLoss {
  /** What the positive's score is wanted times. */
  readonly sign: 1 | -1;
  readonly ofAnchor: boolean;
  readonly ofCandidates: boolean;
  /**
   * [2, edges, terms]. scores: [2, edges, 1 + candidates], the positive's first; bias: [2, edges, candidates], log ω or
   * {@link MASKED}, only where candidates have no terms that could be weighted.
   */
  terms(tf: TensorFlow, scores: Tensor, bias: Tensor, settings: Pick<ModelSettings, 'margin'>): Tensor;
}

/**
 * log(1 + ω · Σ e^(s⁻ − s⁺)), written so that no exponent is above 0: with t = max(0, largest s⁻ − s⁺ + log ω), it is
 * t + log(e^−t + Σ e^(s⁻ − s⁺ + log ω − t)). t is brought here and back, and so a constant to TensorFlow: it
 * cancels out of the gradient, which took operations to find. A softmax over all scores needs fewer still, but then the
 * positive's gradient is p − 1: of a p next to 1, float32 keeps too little.
 */
const softmax: TensorLoss = {
  sign: 1,
  ofAnchor: true,
  ofCandidates: false,
  terms(tf, scores, bias) {
    const [positive, candidates] = apart(tf, scores);
    const ahead = tf.add(tf.sub(candidates, positive), bias);
    const largest = tf.max(ahead, -1, true);
    const tops = largest.dataSync().map((x) => Math.max(x, 0));
    const top = tf.tensor(tops, largest.shape);
    const one = tf.tensor(
      tops.map((x) => Math.exp(Math.max(-x, NEGLIGIBLE_EXPONENT))),
      largest.shape,
    );
    const sum = sumLast(tf, tf.exp(notBelow(tf, tf.sub(ahead, top))), 1);
    return tf.add(top, tf.log(tf.add(one, sum)));
  },
};

/** log(1 + e^−(s⁺ + γ)), and of each candidate log(1 + e^(s⁻ + γ)). */
const logistic: TensorLoss = {
  sign: -1,
  ofAnchor: true,
  ofCandidates: true,
  terms(tf, scores, _bias, { margin }) {
    const [, , columns = 0] = scores.shape;
    const shifted = margin === 0 ? scores : tf.add(scores, row(tf, columns, -margin, margin));
    // In most steps none is: to look is one operation, the maximum and its gradient are four.
    return tf.softplus(anyBelow(tf, shifted) ? notBelow(tf, shifted) : shifted);
  },
};

/** Of each candidate, max(0, γ − s⁺ + s⁻). */
const margin: TensorLoss = {
  sign: 1,
  ofAnchor: false,
  ofCandidates: true,
  terms(tf, scores, _bias, { margin }) {
    const [positive, candidates] = apart(tf, scores);
    return tf.maximum(0, tf.sub(candidates, tf.sub(positive, margin)));
  },
};

/** Losses by the name a configuration gives them. */
export const TENSOR_LOSSES: Readonly<Record<LossName, TensorLoss>> = { softmax, logistic, margin };

/** x, or the least exponent that counts: below it there is no gradient, and what is left is lost beside 1. */
function notBelow(tf: TensorFlow, x: Tensor): Tensor {
  return tf.maximum(x, NEGLIGIBLE_EXPONENT);
}

function anyBelow(tf: TensorFlow, x: Tensor): boolean {
  const [least = 0] = tf.min(x).dataSync();
  return least < NEGLIGIBLE_EXPONENT;
}

/** The positive's scores and the candidates'. */
function apart(tf: TensorFlow, scores: Tensor): readonly [Tensor, Tensor] {
  const [, , columns = 0] = scores.shape;
  const [positive, candidates] = tf.split(scores, [1, columns - 1], 2);
  return [positive!, candidates!];
}
