import type { LossName, ModelSettings } from './settings.ts';

/**
 * e^x is exactly 0 below this x. e⁻²⁵ is below the resolution of float32 beside 1, and products with such numbers are
 * denormal: they made steps with far negatives 100 times slower.
 */
export const NEGLIGIBLE_EXPONENT = -25;

/** The loss of one anchor, and its derivative by the positive's score. */
export interface AnchorLoss {
  readonly loss: number;
  /** ∂loss/∂(positive score), never above 0. */
  readonly positiveWeight: number;
}

/**
 * Gives the loss of one anchor. positive: the positive's score; negatives: [n] scores of the unmasked candidates, n may
 * be 0; weights: [n] or longer, overwritten with ∂loss/∂(negative score), never below 0.
 */
export type Loss = (
  positive: number,
  negatives: Float64Array,
  settings: Pick<ModelSettings, 'margin' | 'negativeWeight'>,
  weights: Float64Array,
) => AnchorLoss;

/** −log(e^s⁺ / (e^s⁺ + ω · Σ e^s⁻)), the largest score subtracted first. No negatives: no loss. */
const softmax: Loss = (positive, negatives, { negativeWeight }, weights) => {
  let top = positive;
  for (const score of negatives) top = Math.max(top, score);
  let sum = 0;
  for (let j = 0; j < negatives.length; j++) {
    const term = negativeWeight * exponential(negatives[j]! - top);
    weights[j] = term;
    sum += term;
  }
  const partition = exponential(positive - top) + sum;
  for (let j = 0; j < negatives.length; j++) weights[j]! /= partition;
  return { loss: top - positive + Math.log(partition), positiveWeight: -sum / partition };
};

/**
 * −log σ(s⁺ + γ) − (1/n) · Σ log σ(−(s⁻ + γ)): all negatives together weigh as much as the positive. Without negatives,
 * only the positive's term. Source: El-Kishky et al. 2022 (TwHIN), equation 2, balanced.
 */
const logistic: Loss = (positive, negatives, { margin }, weights) => {
  let loss = softplus(-(positive + margin));
  const n = negatives.length;
  for (let j = 0; j < n; j++) {
    const shifted = negatives[j]! + margin;
    weights[j] = sigmoid(shifted) / n;
    loss += softplus(shifted) / n;
  }
  return { loss, positiveWeight: -sigmoid(-(positive + margin)) };
};

/** (1/n) · Σ max(0, γ − s⁺ + s⁻). Source: Bordes et al. 2013, equation 1, averaged over all negatives. */
const margin: Loss = (positive, negatives, settings, weights) => {
  const n = negatives.length;
  let loss = 0;
  let within = 0;
  for (let j = 0; j < n; j++) {
    const short = settings.margin - positive + negatives[j]!;
    weights[j] = short > 0 ? 1 / n : 0;
    if (short <= 0) continue;
    loss += short / n;
    within++;
  }
  return { loss, positiveWeight: within === 0 ? 0 : -within / n };
};

export const LOSSES: Readonly<Record<LossName, Loss>> = { softmax, logistic, margin };

/** e^x for x ≤ 0, exactly 0 below {@link NEGLIGIBLE_EXPONENT}. */
function exponential(x: number): number {
  return x < NEGLIGIBLE_EXPONENT ? 0 : Math.exp(x);
}

/** 1 / (1 + e^−x): exactly 0 below −25 and 1 above 25. */
function sigmoid(x: number): number {
  const tail = exponential(-Math.abs(x));
  return (x < 0 ? tail : 1) / (1 + tail);
}

/** log(1 + e^x) = −log σ(−x). */
function softplus(x: number): number {
  return Math.max(x, 0) + Math.log1p(exponential(-Math.abs(x)));
}
