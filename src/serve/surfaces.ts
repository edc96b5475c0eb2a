import type { RelationVector } from '../../topics/model.ts';
import { UsageError } from '../errors/errors.ts';
import type { Relation } from '../graph/edge.ts';
import { type EntityKey, parseEntityKey, typeOf } from '../graph/entity.ts';
import { rowMarks } from '../kernels/scan/scan.ts';
import type { Activity } from './activity.ts';
import type { Clusters } from './clusters.ts';
import {
  type Interest,
  type InterestWay,
  interestTop,
  medoidsOf,
  mixtureOf,
  NEWEST_TARGETS,
} from './interests.ts';
import type { Asking } from './looks.ts';
import { percentilesOf } from './percentiles.ts';
import { type SearchAnswer, type SearchAsked, search } from './search.ts';
import {
  type AnswerHead,
  about,
  idleRows,
  movedBy,
  namedGraphs,
  type RelationQuery,
  type ServedGraph,
  scoredTable,
  trainedRelation,
  USER,
} from './served-graph.ts';
import type { SharedPasses } from './shared-passes.ts';
import type { Space } from './spaces.ts';
import type { VectorTable } from './vector-table.ts';
import {
  type ScoredTable,
  scoreOf,
  type WeightedQuery,
  type WeightedRow,
  weightedTop,
} from './weighted-top.ts';

/** What a list is for. */
export const SURFACES = ['home', 'who-to-follow', 'ads'] as const;
export type SurfaceName = (typeof SURFACES)[number];

/** Entity type of what a surface shows; all of them are shown to users. */
export const SHOWS: Readonly<Record<SurfaceName, string>> = {
  home: 'tweet',
  'who-to-follow': 'user',
  ads: 'ad',
};

/** The surfaces that a graph with these relations has. */
export function surfacesOf(relations: readonly Relation[]): SurfaceName[] {
  return SURFACES.filter((surface) =>
    relations.some(({ lhs, rhs }) => lhs === USER && rhs === SHOWS[surface]),
  );
}

/** Leads from an advertiser to its ads. */
export const PROMOTES = 'promotes';
/** Lists with a limit for each advertiser are asked for this many times as long each time, until they are full. */
const LONGER = 4;
/** Where a list goes on after the rows that it has, so many more are looked at, or as many as it is long. */
const MOST_MORE = 1_024;

export interface CandidatesAsked {
  readonly surface: SurfaceName;
  /** The graph asked; unless said, the first one that has a relation for it. */
  readonly graph?: string | undefined;
  readonly user: EntityKey;
  readonly k: number;
  /** One relation alone; all of the surface's unless said. */
  readonly relation?: string | undefined;
  readonly exclude?: readonly EntityKey[] | undefined;
  readonly explain?: boolean | undefined;
  /** Leaves out what no event named for so long; nothing unless given. */
  readonly idleMs?: number | undefined;
  /** By several interests of the user; by the user and the relations unless said. */
  readonly interests?: InterestWay | undefined;
}

/** Why an entity is in a list. */
export interface ItemReason {
  /** The relation that says most for it, and its share of the user's own edges. */
  readonly relation: string;
  readonly share: number;
  readonly score: number;
  /** Of what the user engaged with of late, the entity nearest to it. */
  readonly near?: EntityKey;
  /** Between the vectors of the two, L2; lower is nearer. */
  readonly distance?: number;
}

export interface Item {
  readonly entity: EntityKey;
  /** The scorer's own, higher is better; null in a list of popular entities. */
  readonly score: number | null;
  readonly reason?: ItemReason;
}

/** Entities that were left out: followed or engaged with, blocked, asked to be, and idle. */
export interface Filtered {
  readonly seen: number;
  readonly blocked: number;
  readonly excluded: number;
  readonly idle: number;
}

export interface Answer extends AnswerHead {
  readonly items: readonly Item[];
  /** How the list was made: `none` also for a user without a target, and while the first clusters are made. */
  readonly interests: InterestWay;
  readonly filtered: Filtered;
}

export interface RankedCandidate {
  readonly entity: EntityKey;
  readonly score: number;
  /** Share of all other entities of its type that score lower; an equal score counts half. */
  readonly percentile: number;
}

export interface RankAnswer extends AnswerHead {
  readonly items: readonly RankedCandidate[];
  /** Candidates without a vector. */
  readonly missing: readonly EntityKey[];
}

export interface SimilarAnswer extends AnswerHead {
  readonly items: readonly Item[];
}

export interface SurfacesOptions {
  readonly graphs: readonly ServedGraph[];
  /** Where the tables of the graphs are scanned. */
  readonly passes: SharedPasses;
  /** Most ads of one advertiser in a list. */
  readonly adsOfOne: number;
  /** What lists by several interests are made with; where it is absent, all lists are made by user and relations. */
  readonly clusters?: Clusters;
}

/** How many of a user's newest targets are compared with a candidate to explain it. */
export const NEAR = 50;

/**
 * Answers what the vectors are for: candidates of a surface, neighbours of an entity, ranks of given candidates. Each answer
 * is made of one state of the vectors, that of the moment at which its turn comes. All of them are refused with FatalError
 * `busy` when too many wait.
 */
export class Surfaces {
  readonly #options: SurfacesOptions;

  constructor(options: SurfacesOptions) {
    this.#options = options;
  }

  /**
   * A list of the length asked for, if so many entities are left; of popular ones, among the first 16,384.
   * @throws UsageError when no graph has the surface or the relation, or the graph is not served.
   */
  candidates(asked: CandidatesAsked): Promise<Answer> {
    return this.#options.passes.ask(() => this.#candidates(asked));
  }

  /** The nearest entities of an entity's own type. undefined: nothing has a vector of that name. */
  similar(entity: EntityKey, k: number, graphName?: string): Promise<SimilarAnswer | undefined> {
    return this.#options.passes.ask(() => this.#similar(entity, k, graphName));
  }

  /**
   * The score of each candidate for the user by a relation, and its place among all entities of the relation's type. A user
   * or relation without a vector: undefined. @throws UsageError for a relation that does not begin at users, or for a graph
   * that is not served.
   */
  rank(
    user: EntityKey,
    relation: string,
    candidates: readonly EntityKey[],
    graphName?: string,
  ): Promise<RankAnswer | undefined> {
    return this.#options.passes.ask(() => this.#rank(user, relation, candidates, graphName));
  }

  /** Tweets or users for a query. @throws UsageError when no graph knows of searches and of the type. */
  search(asked: SearchAsked): Promise<SearchAnswer> {
    return this.#options.passes.ask(() => search(this.#options.graphs, asked));
  }

  *#candidates(asked: CandidatesAsked): Asking<Answer> {
    return (yield* this.#byInterests(asked)) ?? (yield* this.#byRelations(asked));
  }

  *#byRelations(asked: CandidatesAsked): Asking<Answer> {
    const { user, k, explain = false, surface } = asked;
    const { graph, leftOut, idle, filtered, space, table, queries } = this.begin(asked);
    const adsOfOne = surface === 'ads' ? this.#options.adsOfOne : undefined;
    if (table === undefined || queries.length === 0) {
      const { accepts } = limiter(graph, adsOfOne);
      const items: Item[] = [];
      // Far more are popular than a list has: nothing is copied.
      for (const { entity } of graph.activity.popular(SHOWS[surface])) {
        if (items.length === k) break;
        const row = table?.rowOf(entity);
        const known = table === undefined || (row !== undefined && idle.marks[row] !== 1);
        if (known && !leftOut.has(entity) && accepts(entity)) items.push({ entity, score: null });
      }
      return { ...about(graph, space), items, fallback: 'popular', interests: 'none', filtered };
    }
    const scored = scoredTable(table, queries[0]!.of);
    const without = { leftOut: table.rowsOf(leftOut), marked: idle.marks };
    const found = yield* acceptedTop(graph, table, scored, queries, without, k, adsOfOne);
    const recent = explain ? vectorsOf(table, recentOf(graph, user, queries)) : [];
    const items = found.map(({ entity, row, score, scores }) => ({
      entity,
      score,
      ...(explain && { reason: reasonOf(queries, scores, table.scan.vector(row), recent) }),
    }));
    return { ...about(graph, space), items, fallback: null, interests: 'none', filtered };
  }

  /** undefined where several interests were not asked for, or nothing is known of them. */
  *#byInterests(asked: CandidatesAsked): Asking<Answer | undefined> {
    const { interests: way = 'none', user, k, explain = false, surface } = asked;
    if (way === 'none') return undefined;
    const { graph, leftOut, idle, filtered, space, table, relations } = this.begin(asked);
    const of = space?.relations.values().next().value;
    if (table === undefined || of === undefined) return undefined;
    const targets = targetsOf(graph.activity, user, relations).filter(
      ({ entity }) => table.rowOf(entity) !== undefined,
    );
    const interests = this.#interests(way, table, targets);
    if (interests.length === 0) return undefined;
    const scored = scoredTable(table, of);
    const rows = table.rowsOf(leftOut);
    const accepting = () => limiter(graph, surface === 'ads' ? this.#options.adsOfOne : undefined).accepts;
    const found = yield* accepted(table, k, accepting, (length) =>
      interestTop(scored, interests, rows, length, idle.marks),
    );
    const recent = explain ? targets.slice(-NEAR) : [];
    const vectors = vectorsOf(
      table,
      recent.map(({ entity }) => entity),
    );
    const items = found.map(({ entity, row, score, interest: { share } }) => {
      const near = nearestOf(table.scan.vector(row), vectors);
      const relation = recent.find((target) => target.entity === near?.near)?.relation;
      return { entity, score, ...(near && relation && { reason: { relation, share, score, ...near } }) };
    });
    return { ...about(graph, space), items, fallback: null, interests: way, filtered };
  }

  /** The interests that the user's newest targets show. None while clusters are made for the first time. */
  #interests(way: InterestWay, table: VectorTable, targets: readonly OwnTarget[]): Interest[] {
    const { clusters } = this.#options;
    const vectors = targets.slice(-NEWEST_TARGETS).flatMap(({ entity }) => table.vectorOf(entity) ?? []);
    if (clusters === undefined || vectors.length === 0) return [];
    if (way === 'mixture') {
      const centroids = clusters.centroids(table);
      return centroids === undefined ? [] : mixtureOf(vectors, centroids);
    }
    return medoidsOf(vectors, clusters.spread(table) ?? 0);
  }

  /** What a list is made of, as of now: who is asked for, what is left out, and where to look. @throws UsageError as `candidates`. */
  begin(asked: CandidatesAsked) {
    const { user, exclude = [], idleMs } = asked;
    const { graph, relations } = this.#relationsOf(asked);
    const { activity } = graph;
    const shown = SHOWS[asked.surface];
    const all = graph.relations
      .filter(({ lhs, rhs }) => lhs === USER && rhs === shown)
      .map(({ name }) => name);
    const seen = new Set(all.flatMap((relation) => activity.live(user, relation)));
    const blocked = new Set(all.flatMap((relation) => activity.blocked(user, relation)));
    const space = graph.spaces.current;
    const table = space?.table(shown);
    const idle = idleRows(graph, table, idleMs);
    return {
      graph,
      idle,
      leftOut: new Set([...seen, ...blocked, ...exclude, user]),
      filtered: { seen: seen.size, blocked: blocked.size, excluded: exclude.length, idle: idle.count },
      space,
      table,
      queries: space === undefined ? [] : this.queries(graph, space, user, relations),
      relations,
    };
  }

  *#similar(entity: EntityKey, k: number, graphName: string | undefined): Asking<SimilarAnswer | undefined> {
    for (const graph of this.graphs(graphName)) {
      const space = graph.spaces.current;
      const table = space?.table(typeOf(entity));
      const vector = table?.vectorOf(entity);
      const [of] = space?.relations.values() ?? [];
      if (space === undefined || table === undefined || vector === undefined || of === undefined) continue;
      const query = { vector: Float64Array.from(vector), weight: 1 };
      const found = yield* weightedTop(scoredTable(table, of), [query], table.rowsOf([entity]), k);
      const items = found.map(({ row, score }) => ({ entity: table.nameOf(row), score }));
      return { ...about(graph, space), items, fallback: null };
    }
    return undefined;
  }

  *#rank(
    user: EntityKey,
    relation: string,
    candidates: readonly EntityKey[],
    graphName: string | undefined,
  ): Asking<RankAnswer | undefined> {
    const { graph, space, table, queries } = this.beginRank(user, relation, graphName);
    const [query] = queries;
    if (space === undefined || table === undefined || query === undefined) return undefined;
    const scored = scoredTable(table, query.of);
    const found = candidates.flatMap((entity) => {
      const row = table.rowOf(entity);
      return row === undefined ? [] : [{ entity, row }];
    });
    const rows = found.map(({ row }) => row);
    const percentiles = yield* percentilesOf({ ...scored, query: query.vector, rows });
    const items = found.map(({ entity, row }) => ({
      entity,
      score: scoreOf(scored, query.vector, row),
      percentile: percentiles.get(row)!,
    }));
    items.sort((a, b) => b.score - a.score);
    const missing = candidates.filter((entity) => table.rowOf(entity) === undefined);
    return { ...about(graph, space), items, fallback: null, missing };
  }

  /** What ranks are made of, as of now. @throws UsageError as `rank`. */
  beginRank(user: EntityKey, relation: string, graphName: string | undefined) {
    const graph = this.graphs(graphName).find((each) =>
      each.relations.some(({ name, lhs }) => name === relation && lhs === USER),
    );
    if (graph === undefined) throw unknownRelation(relation, this.graphs(graphName));
    const space = graph.spaces.current;
    const { rhs: type = '' } = graph.relations.find(({ name }) => name === relation) ?? {};
    const queries = space === undefined ? [] : this.queries(graph, space, user, [relation]);
    return { graph, space, type, table: space?.table(type), queries };
  }

  /** The graph and the relations that a surface asks by. */
  #relationsOf({ surface, relation, graph: name }: CandidatesAsked): {
    graph: ServedGraph;
    relations: string[];
  } {
    const shown = SHOWS[surface];
    const fits = ({ name, lhs, rhs }: Relation) =>
      lhs === USER && rhs === shown && (relation === undefined || name === relation);
    const graphs = this.graphs(name);
    const graph = graphs.find((each) => each.relations.some(fits));
    if (graph !== undefined)
      return { graph, relations: graph.relations.filter(fits).map(({ name }) => name) };
    if (relation !== undefined) throw unknownRelation(relation, graphs);
    const names = graphs.map((each) => each.name).join(', ');
    throw new UsageError(
      'surface',
      `surface: none of the graphs ${names} has a relation from user to ${shown}, which ${surface} needs`,
    );
  }

  /** The graph of that name, or all of them. @throws UsageError `graph` for a graph that is not served. */
  graphs(name: string | undefined): readonly ServedGraph[] {
    return namedGraphs(this.#options.graphs, name);
  }

  /**
   * The user's vector moved by each trained relation, weighted by the user's own edges; by those of all users where none of
   * the user's own is remembered, as the evaluation weighs. None where the user has no vector.
   */
  queries(
    { activity }: ServedGraph,
    space: Space,
    user: EntityKey,
    relations: readonly string[],
  ): RelationQuery[] {
    const own = space.vectorOf(user);
    if (own === undefined) return [];
    const edgesOf = (relation: string) => activity.live(user, relation).length;
    const trained = relations.filter((relation) => trainedRelation(space, relation) !== undefined);
    const hasOwn = trained.some((relation) => edgesOf(relation) > 0);
    return movedBy(space, own, trained, hasOwn ? edgesOf : (relation) => activity.liveOfAll(relation));
  }
}

/** What a user engaged with. */
interface OwnTarget {
  readonly entity: EntityKey;
  /** That of the newest edge to it. */
  readonly relation: string;
  readonly at: number;
}

/** The targets of the user's live edges, the newest last. */
function targetsOf(activity: Activity, user: EntityKey, relations: readonly string[]): OwnTarget[] {
  const { edges } = activity.of(user);
  const newest = new Map<EntityKey, OwnTarget>();
  for (const relation of relations) {
    for (const entity of activity.live(user, relation)) {
      const { at } = edges.get(relation)!.get(entity)!;
      if ((newest.get(entity)?.at ?? 0) <= at) newest.set(entity, { entity, relation, at });
    }
  }
  return [...newest.values()].sort((a, b) => a.at - b.at);
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
  { leftOut, marked }: { readonly leftOut: readonly number[]; readonly marked: Uint8Array },
  k: number,
  adsOfOne: number | undefined,
): Asking<AcceptedRow[]> {
  const { accepts, full } = limiter(graph, adsOfOne);
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
function* accepted<Row extends { readonly row: number }>(
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
export function limiter({ activity }: Pick<ServedGraph, 'activity'>, adsOfOne: number | undefined): Limiter {
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

/** Why an entity is in a list. scores: by each query; recent: what its vector is compared with. */
export function reasonOf(
  queries: readonly { readonly weight: number; readonly of: Pick<RelationVector, 'relation'> }[],
  scores: readonly number[],
  vector: Float32Array,
  recent: readonly NamedVector[],
): ItemReason {
  let best = 0;
  for (let i = 1; i < queries.length; i++) if (scores[i]! > scores[best]!) best = i;
  const { of, weight } = queries[best]!;
  const near = nearestOf(vector, recent);
  return { relation: of.relation, share: weight, score: scores[best]!, ...near };
}

/** What an item is nearest to, and how near. */
function nearestOf(
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

function unknownRelation(relation: string, graphs: readonly ServedGraph[]): UsageError {
  const names = [...new Set(graphs.flatMap(({ relations }) => relations.map(({ name }) => name)))];
  return new UsageError(
    'relation',
    `relation: expected one of ${names.join(', ')} that fits, seen ${JSON.stringify(relation)}`,
  );
}

function squaredDistance(a: Float32Array, b: Float32Array): number {
  let square = 0;
  for (let k = 0; k < a.length; k++) square += (a[k]! - b[k]!) ** 2;
  return square;
}

/** A user, from an id with or without `user:`. @throws UsageError `entity` as `parseEntityKey`. */
export function userKey(id: string): EntityKey {
  return parseEntityKey(id.startsWith(`${USER}:`) ? id : `${USER}:${id}`);
}
