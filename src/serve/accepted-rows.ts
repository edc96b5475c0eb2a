import type { EntityKey } from '../graph/entity.ts';
import { rowMarks } from '../kernels/scan/scan.ts';
import type { Asking } from './looks.ts';
import type { ServedGraph } from './served-graph.ts';
import type { VectorTable } from './vector-table.ts';
import { type ScoredTable, type WeightedQuery, type WeightedRow, weightedTop } from './weighted-top.ts';

/** Leads from an advertiser to its ads. */
export const PROMOTES = 'promotes';
/** Lists with a limit for each advertiser are asked for this many times as long each time, until they are full. */
const LONGER = 4;
/** Where a list goes on after the rows that it has, so many more are looked at, or as many as it is long. */
const MOST_MORE = 1_024;

/** What is not in a list. */
export interface Without {
  readonly leftOut: readonly number[];
  readonly marked: Uint8Array;
}

/** A row of a list, by name. */
export interface AcceptedRow extends WeightedRow {
  readonly entity: EntityKey;
}

/**
 * The best `k` rows with at most `adsOfOne` of each advertiser, best first; no limit where it is undefined. The scan goes on
 * after the rows that it found, without any row of an advertiser that has all its ads: however few are left, it does not read
 * the whole table row by row.
 */
export function* acceptedTop(
  graph: Pick<ServedGraph, 'activity'>,
  table: VectorTable,
  scored: ScoredTable,
  queries: readonly WeightedQuery[],
  { leftOut, marked }: Without,
  k: number,
  adsOfOne: number | undefined,
): Asking<AcceptedRow[]> {
  const { accepts, full } = adLimiter(graph, adsOfOne);
  const taken: AcceptedRow[] = [];
  let marks = marked;
  let rowsOf: Map<EntityKey, number[]> | undefined;
  for (let length = k; ; length = Math.max(k, Math.min(MOST_MORE, LONGER * length))) {
    const found = yield* weightedTop(scored, queries, leftOut, length, marks);
    for (const each of found) {
      if (taken.length === k) break;
      const entity = table.nameOf(each.row);
      if (accepts(entity)) taken.push({ ...each, entity });
    }
    if (taken.length === k || found.length < length) return taken;
    if (marks === marked) {
      // Others read the marks of idle rows.
      marks = rowMarks(Math.max(table.scan.rows, marked.length));
      marks.set(marked);
    } else {
      // Most lists are full by now: only the others are worth a look at all ads.
      rowsOf ??= rowsByAdvertiser(graph, table);
    }
    for (const { row } of found) marks[row] = 1;
    if (rowsOf === undefined) continue;
    for (const advertiser of full) {
      for (const row of rowsOf.get(advertiser) ?? []) marks[row] = 1;
      rowsOf.delete(advertiser);
    }
  }
}

/** The rows of the ads of each advertiser. */
function rowsByAdvertiser(
  { activity }: Pick<ServedGraph, 'activity'>,
  table: VectorTable,
): Map<EntityKey, number[]> {
  const rowsOf = new Map<EntityKey, number[]>();
  for (const [ad, row] of table.entries()) {
    const advertiser = activity.sourceOf(ad, PROMOTES);
    if (advertiser === undefined) continue;
    const rows = rowsOf.get(advertiser);
    if (rows === undefined) rowsOf.set(advertiser, [row]);
    else rows.push(row);
  }
  return rowsOf;
}

/** The first `k` rows of a list that are accepted. top: the list of a length; accepting: gives a judge that has accepted nothing yet. */
export function* accepted<Row extends { readonly row: number }>(
  table: VectorTable,
  k: number,
  accepting: () => (entity: EntityKey) => boolean,
  top: (length: number) => Asking<Row[]>,
): Asking<(Row & { readonly entity: EntityKey })[]> {
  for (let length = k; ; length *= LONGER) {
    const taken: (Row & { readonly entity: EntityKey })[] = [];
    const accepts = accepting();
    const found = yield* top(length);
    for (const each of found) {
      if (taken.length === k) break;
      const entity = table.nameOf(each.row);
      if (accepts(entity)) taken.push({ ...each, entity });
    }
    if (taken.length === k || found.length < length) return taken;
  }
}

/** What accepts ads, and the advertisers that have all their ads. */
export interface Limiter {
  accepts(ad: EntityKey): boolean;
  readonly full: ReadonlySet<EntityKey>;
}

/** Accepts so many ads of each advertiser, and all whose advertiser is not known. adsOfOne: undefined accepts everything. */
export function adLimiter(
  { activity }: Pick<ServedGraph, 'activity'>,
  adsOfOne: number | undefined,
): Limiter {
  const full = new Set<EntityKey>();
  if (adsOfOne === undefined) return { accepts: () => true, full };
  const taken = new Map<EntityKey, number>();
  const accepts = (ad: EntityKey) => {
    const advertiser = activity.sourceOf(ad, PROMOTES);
    if (advertiser === undefined) return true;
    const count = (taken.get(advertiser) ?? 0) + 1;
    if (count >= adsOfOne) full.add(advertiser);
    if (count > adsOfOne) return false;
    taken.set(advertiser, count);
    return true;
  };
  return { accepts, full };
}
