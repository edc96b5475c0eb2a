import { type EntityKey, typeOf } from '../graph/entity.ts';
import type { Activity } from './activity.ts';
import type { ServedGraph } from './served-graph.ts';

/** Neighbours that a reason names. */
const MOST_NAMED = 3;
/** Neighbours of the entity that was asked for, which are compared with those of others. */
const MOST_COMPARED = 50;

/** The neighbours that two entities share, as far as they are remembered. */
export interface SharedNeighbours {
  /** The newest of them, at most 3. */
  readonly shared: readonly EntityKey[];
  /** How many there are among the newest neighbours of the entity that was asked for, and how many these are. */
  readonly count: number;
  readonly of: number;
}

/**
 * Gives the neighbours that an entity shares with others of its type; undefined where none are known. The neighbours of entities
 * that edges lead from, such as users, are the targets of their live edges. The neighbours of others, such as queries, are the
 * remembered sources of edges to them. The newest 50 neighbours of the entity are compared with all edges of the others.
 */
export function sharingWith(
  { activity, relations }: Pick<ServedGraph, 'activity' | 'relations'>,
  entity: EntityKey,
): (other: EntityKey) => SharedNeighbours | undefined {
  const type = typeOf(entity);
  const from = relations.filter(({ lhs }) => lhs === type).map(({ name }) => name);
  if (from.length > 0) {
    const targets = targetsOf(activity, entity);
    return (other) => sharedOf(targets, (target) => activity.hasLive(other, from, target));
  }
  const to = relations.filter(({ rhs }) => rhs === type).map(({ name }) => name);
  const heard = to.flatMap((each) => activity.recentSourcesOf(entity, each));
  const sources = [...new Set(heard.toReversed())].slice(0, MOST_COMPARED);
  return (other) => sharedOf(sources, (source) => activity.hasLive(source, to, other));
}

/** The targets of an entity's newest live edges, the newest first. */
function targetsOf(activity: Activity, entity: EntityKey): EntityKey[] {
  const live = activity.recent(entity, Number.POSITIVE_INFINITY).filter(({ removed }) => !removed);
  return [...new Set(live.map(({ target }) => target))].slice(0, MOST_COMPARED);
}

function sharedOf(
  neighbours: readonly EntityKey[],
  isShared: (neighbour: EntityKey) => boolean,
): SharedNeighbours | undefined {
  const shared = neighbours.filter(isShared);
  if (shared.length === 0) return undefined;
  return { shared: shared.slice(0, MOST_NAMED), count: shared.length, of: neighbours.length };
}
