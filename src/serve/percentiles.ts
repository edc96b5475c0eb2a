import { scoreOf, type WeightedTopOptions } from './weighted-top.ts';

/** What a table is ranked by, and its rows. */
export interface RankedRows extends WeightedTopOptions {
  /** Rows that have a vector, each once. */
  readonly present: Iterable<number>;
}

/** More rows than these are ranked by the sorted scores of all rows: scans for each of them take longer. */
const RANKED_BY_SCANS = 64;

/**
 * The share of all other rows that score lower than a row, where an equal score counts half; 1 for the only row. Exact,
 * and the same however many rows are asked for: scans and sorted scores compare by the same numbers.
 */
export function percentilesOf(
  table: RankedRows,
  query: Float64Array,
  rows: readonly number[],
): Map<number, number> {
  const percentileOf = rows.length > RANKED_BY_SCANS ? bySortedScores(table, query) : byScans(table, query);
  return new Map(rows.map((row) => [row, percentileOf(row)]));
}

function byScans({ scan }: RankedRows, query: Float64Array): (row: number) => number {
  return (row) => {
    const { rank, compared } = scan.rank({ vector: query }, row);
    return compared === 0 ? 1 : 1 - (rank - 1) / compared;
  };
}

function bySortedScores({ present, ...table }: RankedRows, query: Float64Array): (row: number) => number {
  // A scan compares squared distances, without the factor: the root and the factor can make two different scores equal.
  const scorer = table.scorer === 'transe-l2' ? 'transe-l2-squared' : table.scorer;
  const scoredAs = { ...table, scorer, beta: 1 };
  const scores = Float64Array.from(present, (row) => scoreOf(scoredAs, query, row)).sort();
  const compared = scores.length - 1;
  return (row) => {
    if (compared === 0) return 1;
    const score = scoreOf(scoredAs, query, row);
    const higher = scores.length - firstAt(scores, (other) => other > score);
    const equal = compared - higher - firstAt(scores, (other) => other >= score);
    return 1 - (higher + equal / 2) / compared;
  };
}

/** The first place of the ascending numbers where the test holds; their length if nowhere. */
function firstAt(ascending: Float64Array, holds: (value: number) => boolean): number {
  let [low, high] = [0, ascending.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (holds(ascending[middle]!)) high = middle;
    else low = middle + 1;
  }
  return low;
}
