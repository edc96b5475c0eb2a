/** How a relation moves `lhs` and how the result is compared with `rhs`. Score: higher is better. */
export type ScorerName = 'transe-l1' | 'transe-l2' | 'transe-l2-squared' | 'twhin';

/** What is minimised over a positive and its negatives. */
export type LossName = 'softmax' | 'logistic' | 'margin';

/** Everything a kernel needs to know of the model. Frozen for the life of a store: see the fingerprint. */
export interface ModelSettings {
  /** Numbers in a vector. */
  readonly dim: number;
  readonly scorer: ScorerName;
  readonly loss: LossName;
  /** β: factor on the distance or the dot product. */
  readonly beta: number;
  /** γ: added to every score before the logistic loss; how far ahead the margin loss wants a positive. Not for softmax. */
  readonly margin: number;
  /** ω: weight of the negatives' sum in the softmax loss; without effect on the others. */
  readonly negativeWeight: number;
  /** Step size of row-wise Adagrad. */
  readonly learningRate: number;
  /** Scale entity rows longer than 1 back to 1 after each update. Relation rows are never scaled. */
  readonly unitBall: boolean;
}
