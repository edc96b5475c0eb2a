import { type Asking, lookForRanks, type RankLook } from './looks.ts';

/**
 * The share of all other rows that score lower than a row, where an equal score counts half; 1 for the only row. Exact,
 * and the same however many rows are asked for.
 */
export function* percentilesOf(look: Omit<RankLook, 'kind'>): Asking<Map<number, number>> {
  const ranks = yield* lookForRanks(look);
  return new Map(
    ranks.map(({ rank, compared }, i) => [look.rows[i]!, compared === 0 ? 1 : 1 - (rank - 1) / compared]),
  );
}
