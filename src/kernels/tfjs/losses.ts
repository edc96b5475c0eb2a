import { NEGLIGIBLE_EXPONENT } from '../../model/losses.ts';
import type { LossName, ModelSettings } from '../../model/settings.ts';
import { sumLast } from './scores.ts';
import type { Tensor, TensorFlow } from './tensorflow.ts';

/** What is added to a masked candidate's score: so low that it adds nothing to a loss and gets no gradient. */
export const MASKED = -1e30;

/** What of a loss does not depend on the vectors, side by side: [2, edges, …]. */
export interface LossConstants {
  /** [2, edges, candidates] added to the negatives' scores: {@link openBias} or {@link MASKED}. */
  readonly bias: Tensor;
  /** [2, edges, 1] one over the number of an anchor's negatives; 0 where it has none. */
  readonly share: Tensor;
}

/** Loss of each anchor, [2, edges, 1], of the scores of its positive, [2, edges, 1], and all candidates. */
export type TensorLoss = (
  tf: TensorFlow,
  positive: Tensor,
  candidates: Tensor,
  constants: LossConstants,
  settings: ModelSettings,
) => Tensor;

/** What is added to an unmasked candidate's score. */
export function openBias({ loss, margin }: ModelSettings): number {
  return loss === 'softmax' ? 0 : margin;
}

/**
 * log(1 + ω · Σ e^(s⁻ − s⁺)), written so that no exponent is above 0: with t = max(0, largest s⁻ − s⁺), it is
 * t + log(e^−t + ω · Σ e^(s⁻ − s⁺ − t)).
 */
const softmax: TensorLoss = (tf, positive, candidates, { bias }, { negativeWeight }) => {
  const ahead = tf.sub(tf.add(candidates, bias), positive);
  const top = tf.maximum(0, tf.max(ahead, -1, true));
  const sum = sumLast(tf, tf.exp(notBelow(tf, tf.sub(ahead, top))));
  return tf.add(top, tf.log(tf.add(tf.exp(notBelow(tf, tf.neg(top))), tf.mul(negativeWeight, sum))));
};

/** log(1 + e^−(s⁺ + γ)) + (1/n) · Σ log(1 + e^(s⁻ + γ)). */
const logistic: TensorLoss = (tf, positive, candidates, { bias, share }, { margin }) => {
  const ofPositive = tf.softplus(notBelow(tf, tf.sub(-margin, positive)));
  const ofNegatives = tf.softplus(notBelow(tf, tf.add(candidates, bias)));
  return tf.add(ofPositive, tf.mul(share, sumLast(tf, ofNegatives)));
};

/** (1/n) · Σ max(0, γ − s⁺ + s⁻). */
const margin: TensorLoss = (tf, positive, candidates, { bias, share }) =>
  tf.mul(share, sumLast(tf, tf.maximum(0, tf.sub(tf.add(candidates, bias), positive))));

/** Losses by the name a configuration gives them. */
export const TENSOR_LOSSES: Readonly<Record<LossName, TensorLoss>> = { softmax, logistic, margin };

/** x, or the least exponent that counts: below it there is no gradient, and what is left is lost beside 1. */
function notBelow(tf: TensorFlow, x: Tensor): Tensor {
  return tf.maximum(x, NEGLIGIBLE_EXPONENT);
}
