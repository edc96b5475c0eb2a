import { type Asking, lookForRanks, type RankLook } from './looks.ts';
import { comparedScoreOf } from './weighted-top.ts';

/** The rows that are ranked, and by what. */
export interface RankedRows extends Omit<RankLook, 'kind' | 'scores'> {
  readonly rows: readonly number[];
}

/**
 * The share of all other rows that score lower than a row, where an equal score counts half; 1 for the only row. Exact,
 * and the same however many rows are asked for.
 */
export function* percentilesOf({ rows, ...ranked }: RankedRows): Asking<Map<number, number>> {
  if (rows.length === 0) return new Map();
  const scores = rows.map((row) => comparedScoreOf(ranked, ranked.query, row));
  const ranks = yield* lookForRanks({ ...ranked, scores });
  // The row itself is among all rows, with an equal score.
  return new Map(
    ranks.map(({ rank, compared }, i) => [rows[i]!, percentileOf(rank - 1 - 0.5, compared - 1)]),
  );
}

/** ahead: how many of the `compared` others score higher, where an equal score counts half. */
export function percentileOf(ahead: number, compared: number): number {
  return compared === 0 ? 1 : 1 - ahead / compared;
}
