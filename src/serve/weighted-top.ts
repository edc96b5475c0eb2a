import type { ScanTable } from '../kernels/scan/table.ts';
import { SCORERS } from '../model/scorers.ts';
import type { ScorerName } from '../model/settings.ts';
import type { Asking } from './looks.ts';

/** A way of asking: a query, and how much its score counts. */
export interface WeightedQuery {
  /** [dim] entity plus relation, in float64. */
  readonly vector: Float64Array;
  /** Above 0. */
  readonly weight: number;
}

/** A row with the sum of its weighted scores, and each score alone, in the order of the queries. */
export interface WeightedRow {
  readonly row: number;
  readonly score: number;
  readonly scores: readonly number[];
}

/** The rows that are scored, and how. */
export interface ScoredTable {
  readonly table: ScanTable;
  readonly scorer: ScorerName;
  readonly beta: number;
  /** The name of a row that has a vector. */
  nameOf(row: number): string;
}

/** The first look goes this many times as deep as the list is long, and no less deep than this many rows. */
const [DEEPER, LEAST] = [4, 64];

/**
 * The best `count` rows by the weighted sum of their scores, exactly; of equal sums, the lower name first. Rows have no order
 * that two processes share, names have.
 *
 * The best rows of each query are scored by all queries. A row that is in none of these lists can't have a higher sum than
 * the weighted sum of the lists' last scores; where the list that was found is above this bound, nothing better is left, and
 * otherwise the scans look deeper. With one query, a scan for one row more than asked for is nearly always enough: scans
 * compare squared distances, and only where two of these give the same score does the order of scores differ.
 * Source: Fagin, Lotem and Naor 2003, "Optimal aggregation algorithms for middleware", the threshold algorithm.
 */
export function* weightedTop(
  scored: ScoredTable,
  queries: readonly WeightedQuery[],
  leftOut: readonly number[],
  count: number,
  marked?: Uint8Array,
): Asking<WeightedRow[]> {
  const { table, scorer } = scored;
  if (count < 1) return [];
  for (let depth = firstDepth(queries.length, count); ; depth *= DEEPER) {
    const asked = queries.map(({ vector }) => ({ vector, leftOut, marked }));
    const lists = yield { table, scorer, queries: asked, depth };
    const found = new Set(lists.flatMap((list) => list.map(({ row }) => row)));
    const sums = [...found].map((row) => sumOf(scored, queries, row));
    sums.sort((a, b) => b.score - a.score || (scored.nameOf(a.row) < scored.nameOf(b.row) ? -1 : 1));
    const best = sums.slice(0, count);
    if (depth >= table.rows || lists.some((list) => list.length < depth)) return best;
    const lasts = lists.map((list) => list.at(-1)!.row);
    const bound = lasts.reduce((sum, row, i) => {
      const { vector, weight } = queries[i]!;
      return sum + weight * scoreOf(scored, vector, row);
    }, 0);
    // Equal sums may hide a lower name: only a sum above the bound is sure.
    if (best.length === count && best.at(-1)!.score > bound) return best;
  }
}

/** How many of the best rows of each query are looked at first. */
function firstDepth(queries: number, count: number): number {
  return queries === 1 ? count + 1 : Math.max(LEAST, DEEPER * count);
}

/** The sum of a row's weighted scores, and each score alone. */
export function sumOf(scored: ScoredTable, queries: readonly WeightedQuery[], row: number): WeightedRow {
  const scores = queries.map(({ vector }) => scoreOf(scored, vector, row));
  const score = queries.reduce((sum, { weight }, i) => sum + weight * scores[i]!, 0);
  return { row, score, scores };
}

/** The scorer's own score, in float64. */
export function scoreOf(
  { table, scorer, beta }: Omit<ScoredTable, 'nameOf'>,
  query: Float64Array,
  row: number,
): number {
  return SCORERS[scorer].score(query, Float64Array.from(table.vector(row)), beta);
}
