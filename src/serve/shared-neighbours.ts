import { type EntityKey, typeOf } from '../graph/entity.ts';
import type { Activity, RememberedEdge } from './activity.ts';
import { MOST_ACTORS } from './recent-actors.ts';
import type { ServedGraph } from './served-graph.ts';

/** Neighbours that a reason names. */
const MOST_NAMED = 3;

/** The neighbours that two entities share, as far as they are remembered. */
export interface SharedNeighbours {
  /** The newest of them, at most 3. */
  readonly shared: readonly EntityKey[];
  /** How many there are among the newest neighbours of the entity that was asked for, and how many these are. */
  readonly count: number;
  readonly of: number;
}

/**
 * Gives the neighbours that an entity shares with others of its type; undefined where none are known. Of entities that edges lead from, such
 * as users, neighbours are the targets of their own edges: what both engaged with or follow. Of the others, such as tweets, they
 * are those who acted on them. Looked at are the newest 50 neighbours of the entity, and all edges of the others that are remembered.
 */
export function sharingWith(
  { activity, relations }: Pick<ServedGraph, 'activity' | 'relations'>,
  entity: EntityKey,
): (other: EntityKey) => SharedNeighbours | undefined {
  const type = typeOf(entity);
  const from = relations.filter(({ lhs }) => lhs === type).map(({ name }) => name);
  if (from.length > 0) {
    const targets = targetsOf(activity, entity);
    return (other) => {
      const edges = edgesOf(activity, other, from);
      return sharedOf(targets, (target) => hasLive(activity, edges, target));
    };
  }
  const to = relations.filter(({ rhs }) => rhs === type).map(({ name }) => name);
  const heard = [
    ...activity.actorsOf(entity),
    ...to.flatMap((each) => activity.recentSourcesOf(entity, each)),
  ];
  const actors = [...new Set(heard.toReversed())]
    .map((actor) => ({ actor, edges: edgesOf(activity, actor, to) }))
    .filter(({ edges }) => hasLive(activity, edges, entity))
    .slice(0, MOST_ACTORS);
  const edgesOfActor = new Map(actors.map(({ actor, edges }) => [actor, edges]));
  return (other) =>
    sharedOf([...edgesOfActor.keys()], (actor) => hasLive(activity, edgesOfActor.get(actor) ?? [], other));
}

type Edges = ReadonlyMap<EntityKey, RememberedEdge>;

/** The targets of an entity's newest live edges, the newest first. */
function targetsOf(activity: Activity, entity: EntityKey): EntityKey[] {
  const live = activity.recent(entity, Number.POSITIVE_INFINITY).filter(({ removed }) => !removed);
  return [...new Set(live.map(({ target }) => target))].slice(0, MOST_ACTORS);
}

function edgesOf(activity: Activity, entity: EntityKey, relations: readonly string[]): Edges[] {
  const { edges } = activity.of(entity);
  return relations.flatMap((relation) => edges.get(relation) ?? []);
}

function hasLive(activity: Activity, edges: readonly Edges[], target: EntityKey): boolean {
  return edges.some((of) => {
    const edge = of.get(target);
    return edge !== undefined && activity.isLive(target, edge);
  });
}

function sharedOf(
  neighbours: readonly EntityKey[],
  isShared: (neighbour: EntityKey) => boolean,
): SharedNeighbours | undefined {
  const shared = neighbours.filter(isShared);
  if (shared.length === 0) return undefined;
  return { shared: shared.slice(0, MOST_NAMED), count: shared.length, of: neighbours.length };
}
