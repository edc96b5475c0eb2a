import type { EntityKey } from './entity.ts';

/** Edges as rows: three arrays of one length. relation: the relation's index in the layout. */
export interface EdgeRows {
  readonly lhs: Int32Array;
  readonly relation: Int32Array;
  readonly rhs: Int32Array;
}

/** So many edges, to be filled in. */
export function edgeRows(count: number): EdgeRows {
  return { lhs: new Int32Array(count), relation: new Int32Array(count), rhs: new Int32Array(count) };
}

/** The first `count` of the edges: views. */
export function firstOf({ lhs, relation, rhs }: EdgeRows, count: number): EdgeRows {
  const first = (list: Int32Array) => list.subarray(0, count);
  return { lhs: first(lhs), relation: first(relation), rhs: first(rhs) };
}

/** The name of an edge: at most one edge of a relation runs from `lhs` to `rhs`. */
export interface EdgeName {
  readonly lhs: EntityKey;
  readonly relation: string;
  readonly rhs: EntityKey;
}

/** An edge added or removed by an event, at the event's own time. */
export interface EdgeChange extends EdgeName, EdgeState {
  /**
   * True for a block: lists show neither end to the other until an edge is added later, or until an unblock, which has false here.
   * Both leave no edge, so that `removed` is true.
   */
  readonly blocked?: boolean;
}

/** The erasure of an entity: its edges up to `at` and its vector are deleted. */
export interface Erasure {
  readonly erased: EntityKey;
  readonly at: number;
}

/** What one event does to the graph. */
export type GraphChange = EdgeChange | Erasure;

/** What a store remembers of an edge: its newest event. A removed edge is kept, so that an older event can't restore it. */
export interface EdgeState {
  /** Time of the event (not of its arrival), epoch milliseconds. */
  readonly at: number;
  /** True for unfollow, unlike, block and similar events. */
  readonly removed: boolean;
}

/** How an arriving change relates to the known state of its edge. */
export type Verdict = 'new' | 'newer' | 'duplicate' | 'late';

/**
 * Decides what a change does to an edge. The outcome does not depend on the order of arrival: the newest event wins, a
 * removal wins a tie, and the same event again is a duplicate.
 */
export function judge(known: EdgeState | undefined, change: EdgeState): Verdict {
  if (known === undefined) return 'new';
  if (change.at > known.at) return 'newer';
  if (change.at < known.at) return 'late';
  if (change.removed === known.removed) return 'duplicate';
  return change.removed ? 'newer' : 'late';
}

/** A type of edge, with the type of entity on each side. */
export interface Relation {
  readonly name: string;
  readonly lhs: string;
  readonly rhs: string;
}

/** The relations of TwHIN; a configuration may add its own. */
export const RELATIONS = [
  { name: 'follows', lhs: 'user', rhs: 'user' },
  { name: 'likes', lhs: 'user', rhs: 'tweet' },
  { name: 'retweets', lhs: 'user', rhs: 'tweet' },
  { name: 'replies', lhs: 'user', rhs: 'tweet' },
  { name: 'quotes', lhs: 'user', rhs: 'tweet' },
  { name: 'mentions', lhs: 'user', rhs: 'tweet' },
  { name: 'clicks', lhs: 'user', rhs: 'ad' },
  { name: 'promotes', lhs: 'advertiser', rhs: 'ad' },
  { name: 'searches', lhs: 'user', rhs: 'query' },
] as const satisfies readonly Relation[];
