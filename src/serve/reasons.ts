import type { RelationVector } from '../../topics/model.ts';
import { type EntityKey, typeOf } from '../graph/entity.ts';
import type { Activity, OwnEdge } from './activity.ts';
import type { ItemReason, SharedNeighbours } from './answers.ts';
import { squaredDistance } from './interests.ts';
import type { RelationQuery, ServedGraph } from './served-graph.ts';
import type { VectorTable } from './vector-table.ts';

/** How many of a user's newest targets are compared with a candidate to explain it. */
export const NEAR = 50;

/** What the user engaged with of late by the relations of the queries. */
export function recentOf(
  { activity }: ServedGraph,
  user: EntityKey,
  queries: readonly RelationQuery[],
): EntityKey[] {
  return queries.flatMap(({ of }) => activity.live(user, of.relation).slice(-NEAR));
}

/** An entity with its vector, which is valid until the table grows. */
export type NamedVector = readonly [entity: EntityKey, vector: Float32Array];

/** Those entities that have a vector, in the order given. */
export function vectorsOf(table: VectorTable | undefined, entities: readonly EntityKey[]): NamedVector[] {
  return entities.flatMap((entity): NamedVector[] => {
    const vector = table?.vectorOf(entity);
    return vector === undefined ? [] : [[entity, vector]];
  });
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
  queries: readonly { readonly weight: number; readonly of: Pick<RelationVector, 'relation'> }[],
  scores: readonly number[],
  means: readonly number[],
  vector: Float32Array,
  recent: readonly NamedVector[],
): ItemReason {
  const liftOf = (i: number) => queries[i]!.weight * (scores[i]! - means[i]!);
  let best = 0;
  for (let i = 1; i < queries.length; i++) {
    const ahead = liftOf(i) - liftOf(best);
    // Nothing lifts the only item of a list: then the heaviest relation counts.
    if (ahead > 0 || (ahead === 0 && queries[i]!.weight > queries[best]!.weight)) best = i;
  }
  const { of, weight } = queries[best]!;
  const near = nearestOf(vector, recent);
  return { relation: of.relation, share: weight, score: scores[best]!, ...near };
}

/** What an item is nearest to, and how near. */
export function nearestOf(
  vector: Float32Array,
  among: readonly NamedVector[],
): Required<Pick<ItemReason, 'near' | 'distance'>> | undefined {
  let near: { entity: EntityKey; distance: number } | undefined;
  for (const [entity, other] of among) {
    const distance = squaredDistance(vector, other);
    if (near === undefined || distance < near.distance) near = { entity, distance };
  }
  return near && { near: near.entity, distance: Math.sqrt(near.distance) };
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
    return (other) => sharedOf(targets, (target) => activity.hasLive(other, from, target));
  }
  const to = relations.filter(({ rhs }) => rhs === type).map(({ name }) => name);
  const heard = to.flatMap((each) => activity.recentSourcesOf(entity, each));
  const sources = [...new Set(heard.toReversed())].slice(0, MOST_COMPARED);
  return (other) => sharedOf(sources, (source) => activity.hasLive(source, to, other));
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
