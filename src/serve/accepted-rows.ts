import type { EntityKey } from '../graph/entity.ts';
import type { AtMost } from '../graph/surface.ts';
import { rowMarks } from '../kernels/scan/scan.ts';
import type { Activity } from './activity/activity.ts';
import type { Asking } from './looks.ts';
import type { ServedGraph } from './served-graph.ts';
import type { MarkedRows, VectorTable } from './vector-table.ts';

/** Lists with a limit for each group are asked for this many times as long each time, until they are full. */
const LONGER = 4;
/** Where a list goes on after the rows that it has, so many more are looked at, or as many as it is long. */
const MOST_MORE = 1_024;

/**
 * The first `k` rows of a list, with at most so many of each group. The list goes on after the rows that it had, without any row
 * of a group that is full: however few are left, it does not read the whole table row by row.
 * top: gives the first `length` rows of the list that are not marked; marked: the rows that no list of the request has.
 */
export function* acceptedTop<Row extends { readonly row: number }>(
  graph: Pick<ServedGraph, 'activity'>,
  table: VectorTable,
  marked: Uint8Array,
  k: number,
  groups: Groups | undefined,
  top: (length: number, marks: Uint8Array) => Asking<Row[]>,
): Asking<(Row & { readonly entity: EntityKey })[]> {
  const { accepts, full } = groupLimiter(graph, groups);
  const taken: (Row & { readonly entity: EntityKey })[] = [];
  let marks = marked;
  let rowsOf: Map<EntityKey | undefined, number[]> | undefined;
  for (let length = k; ; length = Math.max(k, Math.min(MOST_MORE, LONGER * length))) {
    const found = yield* top(length, marks);
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
    } else if (groups !== undefined) {
      // Most lists are full by now: only the others are worth a look at all groups.
      const groupOf = (row: number) => graph.activity.sourceOf(table.nameOf(row), groups.by);
      rowsOf ??= Map.groupBy(
        table.entries().map(([, row]) => row),
        groupOf,
      );
    }
    for (const { row } of found) marks[row] = 1;
    if (rowsOf === undefined) continue;
    for (const group of full) {
      for (const row of rowsOf.get(group) ?? []) marks[row] = 1;
      rowsOf.delete(group);
    }
  }
}

/** A limit for the items of each group, and groups that have no item in the list, such as what somebody blocked promotes. */
export interface Groups extends AtMost {
  readonly blocked: readonly EntityKey[];
}

/** Accepts so many items of each known group; `full` groups have no room left. groups: undefined accepts everything. */
export function groupLimiter({ activity }: Pick<ServedGraph, 'activity'>, groups: Groups | undefined) {
  const full = new Set<EntityKey>(groups?.blocked);
  if (groups === undefined) return { accepts: () => true, full };
  const taken = new Map<EntityKey, number>();
  const accepts = (item: EntityKey) => {
    const group = activity.sourceOf(item, groups.by);
    if (group === undefined) return true;
    if (full.has(group)) return false;
    const count = (taken.get(group) ?? 0) + 1;
    if (count >= groups.count) full.add(group);
    taken.set(group, count);
    return true;
  };
  return { accepts, full };
}

/** Popular entities of a type that are not idle; where there is a table, those with a vector alone. Far more are popular than a list has. */
export function popularItems(
  activity: Pick<Activity, 'popular'>,
  type: string,
  table: VectorTable | undefined,
  idle: MarkedRows,
  k: number,
  isKept: (entity: EntityKey) => boolean = () => true,
): { readonly entity: EntityKey; readonly score: null }[] {
  const items: { readonly entity: EntityKey; readonly score: null }[] = [];
  for (const { entity } of activity.popular(type)) {
    if (items.length === k) break;
    const row = table?.rowOf(entity);
    const isKnown = table === undefined || (row !== undefined && idle.marks[row] !== 1);
    if (isKnown && isKept(entity)) items.push({ entity, score: null });
  }
  return items;
}
