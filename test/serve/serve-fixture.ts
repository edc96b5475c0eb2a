import type { EdgeChange, Relation } from '../../src/graph/edge.ts';
import { type EntityKey, entityKey } from '../../src/graph/entity.ts';
import { SURFACES } from '../../src/graph/surface.ts';
import { Scanner } from '../../src/kernels/scan/scanner.ts';
import { Activity, type ActivityOptions } from '../../src/serve/activity/activity.ts';
import { type Asking, type Look, OwnScans } from '../../src/serve/looks.ts';
import type { ServedGraph } from '../../src/serve/served-graph.ts';
import { Gate, SharedPasses } from '../../src/serve/shared-passes.ts';
import { Spaces } from '../../src/serve/spaces.ts';
import { Surfaces, type SurfacesOptions } from '../../src/serve/surfaces.ts';
import type { Embedding } from '../../topics/embeddings.ts';
import type { PublishedScorer, RelationVector } from '../../topics/model.ts';

export const T0 = Date.UTC(2024, 4, 1);

export const user = (id: string | number): EntityKey => entityKey('user', `${id}`);
export const tweet = (id: string | number): EntityKey => entityKey('tweet', `${id}`);
export const ad = (id: string | number): EntityKey => entityKey('ad', `${id}`);
export const query = (text: string): EntityKey => entityKey('query', text);
export const advertiser = (id: string | number): EntityKey => entityKey('advertiser', `${id}`);

/** Entities with the numbers from `from` on. */
export const many = (of: (id: number) => EntityKey, count: number, from = 0): EntityKey[] =>
  Array.from({ length: count }, (_, i) => of(from + i));

/** A record of an embeddings topic, of the space `a` unless said. null: a tombstone. */
export function embedding(
  vector: readonly number[] | null,
  of: Partial<Omit<Embedding, 'vector' | 'dim'>> = {},
): Embedding {
  return {
    ...{ graph: 'g', dtype: 'float32', step: 1, at: T0, fingerprint: 'f', epoch: 1, space: 'a' },
    ...of,
    dim: vector?.length ?? 2,
    vector: vector === null ? null : Float32Array.from(vector),
  };
}

/** A record of a model topic: a trained forward vector of the space `a` unless said. */
export function relationVector(
  relation: string,
  vector: readonly number[],
  of: Partial<Omit<RelationVector, 'vector' | 'dim' | 'relation'>> = {},
): RelationVector {
  const scorer: PublishedScorer = 'transe-l2-squared';
  return {
    ...{ graph: 'g', dtype: 'float32', step: 1, at: T0, fingerprint: 'f', epoch: 1, space: 'a' },
    ...{ relation, inverse: false, trained: true, scorer, beta: 1, lhs: 'user', rhs: 'tweet' },
    ...of,
    dim: vector.length,
    vector: Float32Array.from(vector),
  };
}

export function edge(lhs: EntityKey, relation: string, rhs: EntityKey, at = T0, removed = false): EdgeChange {
  return { lhs, relation, rhs, at, removed };
}

/** A block, which removes the edge too. */
export function block(lhs: EntityKey, rhs: EntityKey, at = T0): EdgeChange {
  return { ...edge(lhs, 'follows', rhs, at, true), blocked: true };
}

/** The end of a block, without an edge. */
export function unblock(lhs: EntityKey, rhs: EntityKey, at = T0): EdgeChange {
  return { ...edge(lhs, 'follows', rhs, at, true), blocked: false };
}

export const RELATIONS: readonly Relation[] = [
  { name: 'likes', lhs: 'user', rhs: 'tweet' },
  { name: 'retweets', lhs: 'user', rhs: 'tweet' },
  { name: 'follows', lhs: 'user', rhs: 'user' },
  { name: 'clicks', lhs: 'user', rhs: 'ad' },
  { name: 'promotes', lhs: 'advertiser', rhs: 'ad' },
  { name: 'searches', lhs: 'user', rhs: 'query' },
];

/** clock: unless given, one on which a minute passes with each look. */
export function activityOf(options: Partial<ActivityOptions> = {}): Activity {
  let now = T0;
  const clock = () => {
    now += 60_000;
    return now;
  };
  return new Activity({
    ...{
      relations: RELATIONS,
      edgesOfOne: 1_000,
      edges: 100_000,
      sourcesOf: ['promotes', 'searches'],
      clock,
    },
    ...options,
  });
}

/** The targets of an entity's live edges of a relation, by name. */
export function liveTargets(activity: Activity, entity: EntityKey, relation: string): EntityKey[] {
  const edges = activity.recent(entity, Number.POSITIVE_INFINITY);
  const live = edges.filter((each) => each.relation === relation && !each.removed);
  return live.map(({ target }) => target).sort();
}

/** A graph that is served, empty at first. */
export interface TestGraph extends ServedGraph {
  /** Gives an entity of the space `a` a vector; null takes the vector away. */
  put(entity: EntityKey, vector: readonly number[] | null, at?: number): void;
  relate(relation: string, vector: readonly number[], of?: Parameters<typeof relationVector>[2]): void;
  /** The user's edges become known, one each millisecond from `at` on. */
  edges(lhs: EntityKey, relation: string, targets: readonly EntityKey[], at?: number): void;
}

export function graphOf(
  options: {
    name?: string;
    relations?: readonly Relation[];
    activity?: Activity;
    maxRows?: number;
    scanners?: number;
    unready?: () => readonly string[];
  } = {},
): TestGraph {
  const { relations = RELATIONS } = options;
  const activity =
    options.activity ?? activityOf({ relations, erasureChanged: (entity) => spaces.judge(entity) });
  const hides = (entity: EntityKey, at: number) => activity.hidesVector(entity, at);
  const spaces: Spaces = new Spaces(options.maxRows ?? 10_000, () => true, options.scanners, hides);
  return {
    name: options.name ?? 'g',
    relations,
    spaces,
    activity,
    eventsSince: () => 0,
    staleSince: () => undefined,
    unready: options.unready ?? (() => []),
    put: (entity, vector, at = T0) => spaces.embed(entity, embedding(vector, { at })),
    relate: (relation, vector, of) => spaces.relate(relationVector(relation, vector, of)),
    edges: (lhs, relation, targets, at = T0) => {
      targets.forEach((rhs, i) => void activity.take(edge(lhs, relation, rhs, at + i)));
    },
  };
}

export function surfacesOf(graph: ServedGraph, options: Partial<SurfacesOptions> = {}): Surfaces {
  return new Surfaces({ graphs: [graph], surfaces: SURFACES, passes: passes(), ...options });
}

/** Passes in this thread, of what is asked before the next microtask. */
export function passes(): SharedPasses {
  const scans = new OwnScans();
  const turn = async () => undefined;
  return new SharedPasses({ scans, gate: new Gate(), later: queueMicrotask, turn, clock: () => 0 });
}

/** The answer that is made with the scans of a plain scanner. */
export function answerOf<T>(asking: Asking<T>, looked: (look: Look) => void = () => undefined): T {
  let step = asking.next([]);
  while (step.done !== true) {
    const look = step.value;
    looked(look);
    const scanner = new Scanner(look.table, look.scorer);
    step = asking.next(look.queries.flatMap((query) => scanner.top([query], look.depth)));
  }
  return step.value;
}
