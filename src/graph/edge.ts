import type { EntityKey } from './entity.ts';

/** What names an edge: at most one edge of a relation runs from `lhs` to `rhs`. */
export interface EdgeName {
  readonly lhs: EntityKey;
  readonly relation: string;
  readonly rhs: EntityKey;
}

/** An edge put in or taken out by an event, at the event's own time. */
export interface EdgeChange extends EdgeName {
  /** Epoch milliseconds of the event, not of its arrival. */
  readonly at: number;
  /** True for unfollow, unlike, block and the like. */
  readonly removed: boolean;
}

/** An entity taken out whole: its edges up to `at` and its vector go. */
export interface Erasure {
  readonly erased: EntityKey;
  readonly at: number;
}

/** What one event does to the graph. */
export type GraphChange = EdgeChange | Erasure;

/** What is remembered of an edge: the newest event about it. A removed edge is kept so that an older event can't bring it back. */
export interface EdgeState {
  readonly at: number;
  readonly removed: boolean;
}

/** How an arriving change stands to what is known. */
export type Verdict = 'new' | 'newer' | 'duplicate' | 'late';

/**
 * Decides what a change does to an edge, the same in whichever order changes arrive: the newest event wins, a tie
 * goes to the removal, and the same event again is a duplicate.
 */
export function judge(known: EdgeState | undefined, change: EdgeState): Verdict {
  if (known === undefined) return 'new';
  if (change.at > known.at) return 'newer';
  if (change.at < known.at) return 'late';
  if (change.removed === known.removed) return 'duplicate';
  return change.removed ? 'newer' : 'late';
}
