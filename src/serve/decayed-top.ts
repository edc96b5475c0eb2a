import { rowMarks } from '../kernels/scan/scan.ts';
import type { Asking } from './looks.ts';
import {
  type ScoredTable,
  sumOf,
  type WeightedQuery,
  type WeightedRow,
  weightedTop,
} from './weighted-top.ts';

/** Each list of rows is this many times as long as the one before. */
const LONGER = 4;

/**
 * As `weightedTop`, by the scores minus what each row loses, exactly: `score` is the difference, `scores` are as they are.
 * losses: [rows].
 *
 * A list begins with the rows that lose least, and gets better with those that are found in the order of their scores without the
 * losses. None of the others has a higher score than the last one found: a row that would lose too much even from that score is out.
 * Once all are, the list is the best. The threshold algorithm of `weightedTop`, with what is lost as one more way to be good.
 */
export function* decayedTop(
  scored: ScoredTable,
  queries: readonly WeightedQuery[],
  leftOut: readonly number[],
  count: number,
  marked: Uint8Array,
  losses: Float64Array,
): Asking<WeightedRow[]> {
  const { table, nameOf } = scored;
  if (count < 1) return [];
  // Others read the marks of idle rows.
  const marks = rowMarks(Math.max(losses.length, marked.length));
  marks.set(marked);
  for (const row of leftOut) if (row < marks.length) marks[row] = 1;
  for (let row = 0; row < losses.length; row++) if (!table.has(row)) marks[row] = 1;
  let best: WeightedRow[] = [];
  const take = (rows: readonly WeightedRow[]) => {
    for (const { row } of rows) marks[row] = 1;
    best = [...best, ...rows.map((each) => ({ ...each, score: each.score - losses[each.row]! }))]
      .sort((a, b) => b.score - a.score || (nameOf(a.row) < nameOf(b.row) ? -1 : 1))
      .slice(0, count);
  };
  take(leastOf(losses, marks, count).map((row) => sumOf(scored, queries, row)));
  for (let length = count; ; length *= LONGER) {
    const found = yield* weightedTop(scored, queries, [], length, marks);
    take(found);
    const last = found.at(-1);
    if (last === undefined || found.length < length) return best;
    // Of equal scores the lower name is first: only below the worst of the list there is nothing to be found.
    const worst = best.at(-1)!.score;
    let left = 0;
    for (let row = 0; row < losses.length; row++) {
      if (marks[row] === 1) continue;
      if (last.score - losses[row]! < worst) marks[row] = 1;
      else left++;
    }
    if (left === 0) return best;
  }
}

/** Up to `count` rows that are not marked, those that lose least. */
function leastOf(losses: Float64Array, marks: Uint8Array, count: number): number[] {
  // Losses, the least first, and their rows. The last rows of a table are the newest: most others come too late to be inserted.
  const least: { readonly row: number; readonly loss: number }[] = [];
  for (let row = losses.length - 1; row >= 0; row--) {
    const loss = losses[row]!;
    if (marks[row] === 1 || (least.length === count && loss >= least[count - 1]!.loss)) continue;
    let [low, high] = [0, least.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (least[middle]!.loss <= loss) low = middle + 1;
      else high = middle;
    }
    least.splice(low, 0, { row, loss });
    if (least.length > count) least.pop();
  }
  return least.map(({ row }) => row);
}
