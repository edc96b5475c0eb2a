/** How a relation moves `lhs`, and how the result is compared with `rhs`. */
export type ScorerName = 'transe-l1' | 'transe-l2' | 'transe-l2-squared' | 'twhin';

/** The loss that is minimised over a positive and its negatives. */
export type LossName = 'softmax' | 'logistic' | 'margin';

/** Everything that a kernel needs to know of the model. */
export interface ModelSettings {
  /** Numbers in a vector. */
  readonly dim: number;
  readonly scorer: ScorerName;
  readonly loss: LossName;
  /** β: factor on the distance or the dot product. */
  readonly beta: number;
  /** γ: logistic adds it to every score; margin wants the positive ahead by it; softmax ignores it. */
  readonly margin: number;
  /** ω: weight of the sum over negatives in the softmax loss. The other losses ignore it. */
  readonly negativeWeight: number;
  /** Step size of row-wise Adagrad, before any decay: see `decayed` in `adagrad.ts`. */
  readonly learningRate: number;
  /** Whether updates scale entity vectors longer than 1 back to length 1. Relation vectors are never scaled. */
  readonly unitBall: boolean;
}
