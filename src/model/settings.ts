/** How a relation moves `lhs`, and how the result is compared with `rhs`. */
export type ScorerName = 'transe-l1' | 'transe-l2' | 'transe-l2-squared' | 'twhin';

/** The loss that is minimised over a positive and its negatives. */
export type LossName = 'softmax' | 'logistic' | 'margin';

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

/** How the vectors are scored, in words that need nothing of this program. */
export function describeModel({ dim, scorer, beta }: ModelSettings) {
  const common = { dim, scale: beta, reciprocals: true };
  const [q, c] = ['entities[h] + relations[r]', 'entities[t]'];
  const heads =
    'to find h: entities[t] + reciprocals[r] in place of entities[h] + relations[r], and entities[h] in place of entities[t]';
  if (scorer === 'twhin') return { scorer: 'dot', ...common, score: `scale * dot(${q}, ${c})`, heads };
  const kinds = {
    'transe-l1': { kind: { norm: 1 }, score: `-scale * sum(abs(${q} - ${c}))` },
    'transe-l2': { kind: { norm: 2 }, score: `-scale * sqrt(sum((${q} - ${c}) ** 2))` },
    'transe-l2-squared': { kind: { norm: 2, squared: true }, score: `-scale * sum((${q} - ${c}) ** 2)` },
  } as const;
  const { kind, score } = kinds[scorer];
  return { scorer: 'transe', ...kind, ...common, score, heads };
}
