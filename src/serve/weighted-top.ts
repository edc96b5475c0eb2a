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

/** Where the order by one query is not that of the sums, the first look is so many times as deep as the list, and no less deep than this. */
const [DEEPER, LEAST] = [4, 64];
/** More than float64 loses in a sum of so many terms as a vector has numbers, relative; and in the middle of the queries. */
const [LOST, LOST_OF_MIDDLE] = [2 ** -40, 2 ** -44];

/**
 * The best `count` rows by the weighted sum of their scores, exactly; of equal sums, the lower name first. Rows have no order
 * that two processes share, names have.
 *
 * All queries are asked as one, by their weighted mean q̄. For the dot product Σ w (q · v) = W (q̄ · v), and for the squared
 * distance Σ w ‖q − v‖² = W ‖q̄ − v‖² + Σ w ‖q − q̄‖², with W = Σ w: the order by q̄ is that of the sums, up to rounding. A norm is
 * convex, so that Σ w ‖q − v‖ ≥ W ‖q̄ − v‖: no row beyond the last one found can have a better sum than that. Once the list is
 * above this bound, nothing better is left; otherwise the scan looks deeper.
 */
export function* weightedTop(
  scored: ScoredTable,
  queries: readonly WeightedQuery[],
  leftOut: readonly number[],
  count: number,
  marked?: Uint8Array,
): Asking<WeightedRow[]> {
  const { table, scorer, nameOf } = scored;
  if (count < 1 || queries.length === 0) return [];
  const middle = middleOf(queries);
  const vector = new Float64Array(table.dim);
  const rowOf = (row: number) => {
    vector.set(table.vector(row));
    return sumOf(scored, queries, row, vector);
  };
  for (let depth = firstDepth(scored, queries.length, count); ; depth *= DEEPER) {
    const [found = []] = yield {
      table,
      scorer,
      queries: [{ vector: middle.vector, leftOut, marked }],
      depth,
    };
    const sums = found.map(({ row }) => rowOf(row));
    const last = sums.at(-1);
    const bound = last === undefined ? 0 : boundOf(scored, middle, found.at(-1)!.score, last);
    sums.sort((a, b) => b.score - a.score || (nameOf(a.row) < nameOf(b.row) ? -1 : 1));
    const best = sums.slice(0, count);
    if (depth >= table.rows || found.length < depth) return best;
    // Equal sums may hide a lower name: only a sum above the bound is sure.
    if (best.length === count && best.at(-1)!.score > bound) return best;
  }
}

/** One row more than the list has, where the order of the scan is that of the sums: then it shows that no other sum is equal. */
function firstDepth({ scorer }: Pick<ScoredTable, 'scorer'>, queries: number, count: number): number {
  const isSame = queries === 1 || scorer === 'twhin' || scorer === 'transe-l2-squared';
  return isSame ? count + 1 : Math.max(LEAST, DEEPER * count);
}

/** Queries as one. */
interface Middle {
  /** q̄; the query itself where there is one. */
  readonly vector: Float64Array;
  /** W; 0 where there is one query. */
  readonly weight: number;
  /** Σ w ‖q‖₁, and Σ w ‖q − q̄‖². */
  readonly sizes: number;
  readonly spread: number;
}

function middleOf(queries: readonly WeightedQuery[]): Middle {
  const [first] = queries;
  if (queries.length === 1) return { vector: first!.vector, weight: 0, sizes: 0, spread: 0 };
  const weight = queries.reduce((sum, each) => sum + each.weight, 0);
  const vector = new Float64Array(first!.vector.length);
  let [sizes, spread] = [0, 0];
  for (const each of queries)
    for (let k = 0; k < vector.length; k++) {
      vector[k]! += (each.weight / weight) * each.vector[k]!;
      sizes += each.weight * Math.abs(each.vector[k]!);
    }
  for (const each of queries)
    for (let k = 0; k < vector.length; k++) spread += each.weight * (each.vector[k]! - vector[k]!) ** 2;
  return { vector, weight, sizes, spread };
}

/** No row that was not found has a higher sum. found: the score of the last row by the middle, as of a scan; last: the row's sum. */
function boundOf(
  { table, scorer, beta }: ScoredTable,
  { weight, sizes, spread }: Middle,
  found: number,
  last: WeightedRow,
): number {
  if (weight === 0) return last.score;
  // Each number of q̄ is off by less than this share of all sizes, and so is the length of the difference.
  const off = (LOST_OF_MIDDLE * sizes) / weight;
  if (scorer === 'twhin') return beta * (weight * found + LOST * sizes * table.longest);
  const isL1 = scorer === 'transe-l1';
  const distance = Math.max(0, (isL1 ? -found : Math.sqrt(-found)) * (1 - LOST) - off);
  if (scorer !== 'transe-l2-squared') return -beta * weight * distance * (1 - LOST);
  const least = Math.max(0, spread * (1 - LOST) - weight * off * off);
  return -beta * (weight * distance * distance + least) * (1 - LOST);
}

/** The sum of a row's weighted scores, and each score alone. vector: that of the row. */
function sumOf(
  { scorer, beta }: ScoredTable,
  queries: readonly WeightedQuery[],
  row: number,
  vector: Float64Array,
): WeightedRow {
  const scores = queries.map((query) => SCORERS[scorer].score(query.vector, vector, beta));
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
