import { NEGLIGIBLE_EXPONENT } from '../../model/losses.ts';
import type { LossName, ModelSettings } from '../../model/settings.ts';
import { row, sumLast } from './scores.ts';
import type { Tensor, TensorFlow } from './tensorflow.ts';

/** Added to the score of a masked candidate where a loss has no weights by candidate, so that its term vanishes. */
export const MASKED = -1e30;

/**
 * A loss as a weighted sum of terms: one term for the anchor, or one for each candidate, or both in this order. The weight
 * of an anchor's term is that of the edge; a candidate's is that divided by the number of negatives, and 0 where masked.
 */
export interface TensorLoss {
  /** The factor on the positive's score. */
  readonly sign: 1 | -1;
  readonly ofAnchor: boolean;
  readonly ofCandidates: boolean;
  /**
   * [sides, edges, terms]. scores: [sides, edges, 1 + candidates], the positive's first; bias: [sides, edges, candidates],
   * log ω or {@link MASKED}, only where candidates have no terms of their own.
   */
  terms(tf: TensorFlow, scores: Tensor, bias: Tensor, settings: Pick<ModelSettings, 'margin'>): Tensor;
}

/**
 * log(1 + ω · Σ e^(s⁻ − s⁺)), computed without exponents above 0 as t + log(e^−t + Σ e^(s⁻ − s⁺ + log ω − t)) with
 * t = max(0, largest s⁻ − s⁺ + log ω). t cancels out of the gradient, so it is computed outside of TensorFlow.js as a
 * constant, which saves operations. Rejected: a softmax over all scores, with fewer operations, whose positive gradient
 * p − 1 loses its bits in float32 for p near 1.
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

/** log(1 + e^−(s⁺ + γ)), and for each candidate log(1 + e^(s⁻ + γ)). */
const logistic: TensorLoss = {
  sign: -1,
  ofAnchor: true,
  ofCandidates: true,
  terms(tf, scores, _bias, { margin }) {
    const [, , columns = 0] = scores.shape;
    const shifted = margin === 0 ? scores : tf.add(scores, row(tf, columns, -margin, margin));
    // Mostly there is no such exponent. The test costs one operation; the maximum and its gradient cost four.
    return tf.softplus(anyBelow(tf, shifted) ? notBelow(tf, shifted) : shifted);
  },
};

/** For each candidate, max(0, γ − s⁺ + s⁻). */
const margin: TensorLoss = {
  sign: 1,
  ofAnchor: false,
  ofCandidates: true,
  terms(tf, scores, _bias, { margin }) {
    const [positive, candidates] = apart(tf, scores);
    return tf.maximum(0, tf.sub(candidates, tf.sub(positive, margin)));
  },
};

/** Losses by their name in the configuration. */
export const TENSOR_LOSSES: Readonly<Record<LossName, TensorLoss>> = { softmax, logistic, margin };

/** The larger of x and the negligible exponent, below which there is no gradient. */
function notBelow(tf: TensorFlow, x: Tensor): Tensor {
  return tf.maximum(x, NEGLIGIBLE_EXPONENT);
}

function anyBelow(tf: TensorFlow, x: Tensor): boolean {
  const [least = 0] = tf.min(x).dataSync();
  return least < NEGLIGIBLE_EXPONENT;
}

/** Splits scores into those of the positive and those of the candidates. */
function apart(tf: TensorFlow, scores: Tensor): readonly [Tensor, Tensor] {
  const [, , columns = 0] = scores.shape;
  const [positive, candidates] = tf.split(scores, [1, columns - 1], 2);
  return [positive!, candidates!];
}
