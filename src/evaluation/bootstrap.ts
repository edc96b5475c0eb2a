import type { Random } from '../sampling/random.ts';

/** A mean with the bounds of its 95 % interval. */
export interface Interval {
  readonly mean: number;
  readonly low: number;
  readonly high: number;
}

/** Values by user: their sum over the user's cases, and the number of cases. */
export interface UserSums {
  /** [users] the number of each user's cases. */
  readonly counts: Float64Array;
  /** By figure: [users] sums over the cases. */
  readonly sums: readonly Float64Array[];
}

const ROUNDS = 500;
const LOW = 0.025;
const HIGH = 0.975;

/**
 * 95 % intervals by the percentile bootstrap over users: a round draws as many users as there are, with replacement,
 * and takes each figure's mean over the cases of the drawn users. All figures share the draws, so that an interval of
 * the difference of two figures is that of the pairs: give the difference as a figure of its own. The cases of one user
 * are never independent, which is why users are drawn and not cases. Costs users × figures × rounds.
 * Source: Efron and Tibshirani 1993, "An Introduction to the Bootstrap", chapter 13.
 */
export function bootstrap({ counts, sums }: UserSums, random: Random): Interval[] {
  const users = counts.length;
  const drawn = new Int32Array(users);
  const means = sums.map(() => new Float64Array(ROUNDS));
  for (let round = 0; round < ROUNDS; round++) {
    drawn.fill(0);
    for (let i = 0; i < users; i++) drawn[random.below(users)]!++;
    const cases = weighted(counts, drawn);
    for (let figure = 0; figure < sums.length; figure++)
      means[figure]![round] = weighted(sums[figure]!, drawn) / cases;
  }
  const cases = total(counts);
  return sums.map((values, figure) => {
    const sorted = means[figure]!.sort();
    return { mean: total(values) / cases, low: quantile(sorted, LOW), high: quantile(sorted, HIGH) };
  });
}

function weighted(values: Float64Array, weights: Int32Array): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += weights[i]! * values[i]!;
  return sum;
}

function total(values: Float64Array): number {
  let sum = 0;
  for (const value of values) sum += value;
  return sum;
}

/** The value of ascending values below which this share of them lies, between two values in proportion. */
export function quantile(sorted: Float64Array, share: number): number {
  const at = share * (sorted.length - 1);
  const below = Math.floor(at);
  const above = Math.min(below + 1, sorted.length - 1);
  return sorted[below]! + (at - below) * (sorted[above]! - sorted[below]!);
}
