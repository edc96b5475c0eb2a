import type { RelationVector } from '../../topics/model.ts';
import { type EntityKey, typeOf } from '../graph/entity.ts';
import { squaredDistance } from '../model/scorers.ts';
import type { Activity, OwnEdge } from './activity/activity.ts';
import type { ItemReason, SharedNeighbours } from './answers.ts';
import { NEWEST_TARGETS } from './interests.ts';
import type { ServedGraph } from './served-graph.ts';
import type { VectorTable } from './vector-table.ts';

/** How many of an entity's newest targets are compared with a candidate to explain it. */
const NEAR = 50;

/** What an entity engaged with, by its newest edge to it, and the vector of that, which is valid until the table grows. */
export type Engaged = Pick<OwnEdge, 'relation' | 'target'> & { readonly vector: Float32Array };

/** The newest targets of an entity by these relations that have a vector, the newest first. */
export function engagedOf(
  { activity }: Pick<ServedGraph, 'activity'>,
  table: VectorTable,
  entity: EntityKey,
  relations: readonly string[],
): Engaged[] {
  const withVectors = newestTo(activity, entity, relations)
    .values()
    .flatMap(({ relation, target }) => {
      const vector = table.vectorOf(target);
      return vector === undefined ? [] : [{ relation, target, vector }];
    });
  return withVectors.take(NEWEST_TARGETS).toArray();
}

/** By each query, the mean of its scores in a list. */
export function meanScores(
  lists: readonly { readonly scores: readonly number[] }[],
  queries: number,
): number[] {
  return Array.from({ length: queries }, (_, i) =>
    lists.reduce((sum, { scores }) => sum + scores[i]! / lists.length, 0),
  );
}

/**
 * Why an entity is in a list: the relation that lifts it most above the rest of the list, as it is weighed. scores: by each query;
 * means: as `meanScores`; recent: what its vector is compared with.
 */
export function itemReason(
  entity: EntityKey,
  queries: readonly { readonly weight: number; readonly of: Pick<RelationVector, 'relation'> }[],
  scores: readonly number[],
  means: readonly number[],
  vector: Float32Array,
  recent: readonly Engaged[],
): ItemReason {
  const liftOf = (i: number) => queries[i]!.weight * (scores[i]! - means[i]!);
  let best = 0;
  for (let i = 1; i < queries.length; i++) {
    const ahead = liftOf(i) - liftOf(best);
    // Nothing lifts the only item of a list: then the heaviest relation counts.
    if (ahead > 0 || (ahead === 0 && queries[i]!.weight > queries[best]!.weight)) best = i;
  }
  const { of, weight } = queries[best]!;
  return {
    relation: of.relation,
    share: weight,
    score: scores[best]!,
    ...nearestOf(entity, vector, recent)?.said,
  };
}

/** The nearest of the newest targets to an item, and what a reason says of it. The item is no reason for itself. */
export function nearestOf(item: EntityKey, vector: Float32Array, engaged: readonly Engaged[]) {
  let near: Engaged | undefined;
  let least = Number.POSITIVE_INFINITY;
  for (const each of engaged.slice(0, NEAR)) {
    if (each.target === item) continue;
    const distance = squaredDistance(vector, each.vector);
    if (distance < least) [near, least] = [each, distance];
  }
  return near && { relation: near.relation, said: { near: near.target, distance: Math.sqrt(least) } };
}

/** Neighbours that a reason names. */
const MOST_NAMED = 3;
/** Neighbours of the entity that was asked for, which are compared with those of others. */
const MOST_COMPARED = 50;

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
    const newest = newestTo(activity, entity).slice(0, MOST_COMPARED);
    const targets = newest.map(({ target }) => target);
    return (other) =>
      sharedOf(targets, (target) => target !== other && activity.hasLive(other, from, target));
  }
  const to = relations.filter(({ rhs }) => rhs === type).map(({ name }) => name);
  const heard = to.flatMap((each) => activity.recentSourcesOf(entity, each));
  const sources = [...new Set(heard.toReversed())].slice(0, MOST_COMPARED);
  return (other) => sharedOf(sources, (source) => source !== other && activity.hasLive(source, to, other));
}

/** The entity's newest live edge to each target, of some relations where they are given; the newest first. */
export function newestTo(activity: Activity, entity: EntityKey, relations?: readonly string[]): OwnEdge[] {
  const newest = new Map<EntityKey, OwnEdge>();
  for (const edge of activity.recent(entity, Number.POSITIVE_INFINITY))
    if (!edge.removed && relations?.includes(edge.relation) !== false && !newest.has(edge.target))
      newest.set(edge.target, edge);
  return [...newest.values()];
}

function sharedOf(
  neighbours: readonly EntityKey[],
  isShared: (neighbour: EntityKey) => boolean,
): SharedNeighbours | undefined {
  const shared = neighbours.filter(isShared);
  if (shared.length === 0) return undefined;
  return { shared: shared.slice(0, MOST_NAMED), count: shared.length, of: neighbours.length };
}
