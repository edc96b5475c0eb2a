import type { ScorerName } from './settings.ts';

/** Least squared L2 distance: closer vectors count as this far apart, which keeps the gradient finite. */
export const MIN_SQUARED_DISTANCE = 1e-8;

/** Numbers of a vector, [dim]. */
type Vector = Float64Array | Float32Array;

/** Compares a translated anchor (entity plus relation) with a candidate. Vectors: [dim]. A higher score is better. */
export interface Scorer {
  score(anchor: Vector, candidate: Vector, beta: number): number;
  /** Adds `weight` · ∂score/∂anchor and ∂score/∂candidate to the gradients; `weight` is ∂loss/∂score. */
  addGradient(
    anchor: Float64Array,
    candidate: Float64Array,
    beta: number,
    weight: number,
    anchorGradient: Float64Array,
    candidateGradient: Float64Array,
  ): void;
}

/** −β · Σ|anchor − candidate|. Its gradient at equal numbers is 0. Source: Bordes et al. 2013, section 2. */
const transeL1: Scorer = {
  score(anchor, candidate, beta) {
    let distance = 0;
    for (let k = 0; k < anchor.length; k++) distance += Math.abs(anchor[k]! - candidate[k]!);
    return -beta * distance;
  },
  addGradient(anchor, candidate, beta, weight, anchorGradient, candidateGradient) {
    for (let k = 0; k < anchor.length; k++) {
      const pull = weight * beta * Math.sign(candidate[k]! - anchor[k]!);
      anchorGradient[k]! += pull;
      candidateGradient[k]! -= pull;
    }
  },
};

/** −β · ‖anchor − candidate‖, not squared. Source: Bordes et al. 2013, section 2. */
const transeL2: Scorer = {
  score(anchor, candidate, beta) {
    return -beta * l2Distance(anchor, candidate);
  },
  addGradient(anchor, candidate, beta, weight, anchorGradient, candidateGradient) {
    const perUnit = (weight * beta) / l2Distance(anchor, candidate);
    for (let k = 0; k < anchor.length; k++) {
      const pull = perUnit * (candidate[k]! - anchor[k]!);
      anchorGradient[k]! += pull;
      candidateGradient[k]! -= pull;
    }
  },
};

/** −β · ‖anchor − candidate‖². Source: Lerer et al. 2019 (PyTorch-BigGraph), there called squared_l2. */
const transeL2Squared: Scorer = {
  score(anchor, candidate, beta) {
    return -beta * squaredDistance(anchor, candidate);
  },
  addGradient(anchor, candidate, beta, weight, anchorGradient, candidateGradient) {
    for (let k = 0; k < anchor.length; k++) {
      const pull = 2 * weight * beta * (candidate[k]! - anchor[k]!);
      anchorGradient[k]! += pull;
      candidateGradient[k]! -= pull;
    }
  },
};

/** β · anchor · candidate. Source: El-Kishky et al. 2022 (TwHIN), section 3.1. */
const twhin: Scorer = {
  score(anchor, candidate, beta) {
    let dot = 0;
    for (let k = 0; k < anchor.length; k++) dot += anchor[k]! * candidate[k]!;
    return beta * dot;
  },
  addGradient(anchor, candidate, beta, weight, anchorGradient, candidateGradient) {
    for (let k = 0; k < anchor.length; k++) {
      anchorGradient[k]! += weight * beta * candidate[k]!;
      candidateGradient[k]! += weight * beta * anchor[k]!;
    }
  },
};

function l2Distance(anchor: Vector, candidate: Vector): number {
  return Math.sqrt(Math.max(squaredDistance(anchor, candidate), MIN_SQUARED_DISTANCE));
}

/** The squared L2 distance of two vectors. */
export function squaredDistance(anchor: ArrayLike<number>, candidate: ArrayLike<number>): number {
  let square = 0;
  for (let k = 0; k < anchor.length; k++) square += (anchor[k]! - candidate[k]!) ** 2;
  return square;
}

export const SCORERS: Readonly<Record<ScorerName, Scorer>> = {
  'transe-l1': transeL1,
  'transe-l2': transeL2,
  'transe-l2-squared': transeL2Squared,
  twhin,
};
