import { NEGLIGIBLE_EXPONENT } from '../../model/losses.ts';
import type { LossName, ModelSettings } from '../../model/settings.ts';
import { sumLast } from './scores.ts';
import type { Tensor, TensorFlow } from './tensorflow.ts';

/** What is added to a masked candidate's score where a loss can't be weighted by candidate: it then counts for nothing. */
export const MASKED = -1e30;

/**
 * A loss as terms, of which the weighted sum is taken: an anchor has one of its own, one for each candidate, or both, in
 * this order. Weights are the edge's; of a candidate, the edge's over the number of negatives, and 0 where it is masked.
 */
export interface TensorLoss {
  readonly ofAnchor: boolean;
  readonly ofCandidates: boolean;
  /**
   * [2, edges, terms]. positive: [2, edges, 1] scores; candidates: [2, edges, candidates] scores; bias: of the same
   * shape, 0 or {@link MASKED}.
   */
  terms(
    tf: TensorFlow,
    positive: Tensor,
    candidates: Tensor,
    bias: Tensor,
    settings: Pick<ModelSettings, 'margin' | 'negativeWeight'>,
  ): Tensor;
}

/**
 * log(1 + ω · Σ e^(s⁻ − s⁺)), written so that no exponent is above 0: with t = max(0, largest s⁻ − s⁺), it is
 * t + log(e^−t + ω · Σ e^(s⁻ − s⁺ − t)).
 */
const softmax: TensorLoss = {
  ofAnchor: true,
  ofCandidates: false,
  terms(tf, positive, candidates, bias, { negativeWeight }) {
    const ahead = tf.sub(tf.add(candidates, bias), positive);
    const top = tf.maximum(0, tf.max(ahead, -1, true));
    const sum = sumLast(tf, tf.exp(notBelow(tf, tf.sub(ahead, top))));
    return tf.add(top, tf.log(tf.add(tf.exp(notBelow(tf, tf.neg(top))), tf.mul(negativeWeight, sum))));
  },
};

/** log(1 + e^−(s⁺ + γ)), and of each candidate log(1 + e^(s⁻ + γ)). */
const logistic: TensorLoss = {
  ofAnchor: true,
  ofCandidates: true,
  terms(tf, positive, candidates, _bias, { margin }) {
    const shifted = margin === 0 ? candidates : tf.add(candidates, margin);
    return tf.softplus(notBelow(tf, tf.concat([tf.sub(-margin, positive), shifted], 2)));
  },
};

/** Of each candidate, max(0, γ − s⁺ + s⁻). */
const margin: TensorLoss = {
  ofAnchor: false,
  ofCandidates: true,
  terms: (tf, positive, candidates, _bias, { margin }) =>
    tf.maximum(0, tf.sub(candidates, tf.sub(positive, margin))),
};

/** Losses by the name a configuration gives them. */
export const TENSOR_LOSSES: Readonly<Record<LossName, TensorLoss>> = { softmax, logistic, margin };

/** x, or the least exponent that counts: below it there is no gradient, and what is left is lost beside 1. */
function notBelow(tf: TensorFlow, x: Tensor): Tensor {
  return tf.maximum(x, NEGLIGIBLE_EXPONENT);
}
