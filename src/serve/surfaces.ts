import { UsageError } from '../errors/errors.ts';
import type { Relation } from '../graph/edge.ts';
import { type EntityKey, typeOf } from '../graph/entity.ts';
import { accepted, acceptedTop, adLimiter } from './accepted-rows.ts';
import type { Activity } from './activity.ts';
import { refuseOthers, refuseUnknown } from './asked-entities.ts';
import type { Clusters } from './clusters.ts';
import { type Interest, type InterestWay, interestTop, mixtureOf, NEWEST_TARGETS } from './interests.ts';
import type { Asking } from './looks.ts';
import { type ItemReason, itemReason, NEAR, nearestOf, recentOf, vectorsOf } from './reasons.ts';
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
import { type SharedNeighbours, sharingWith } from './shared-neighbours.ts';
import type { SharedPasses } from './shared-passes.ts';
import type { Space } from './spaces.ts';
import type { VectorTable } from './vector-table.ts';
import { scoreOf, weightedTop } from './weighted-top.ts';

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

export interface Item {
  readonly entity: EntityKey;
  /** The scorer's own, higher is better; null in a list of popular entities. */
  readonly score: number | null;
  readonly reason?: ItemReason;
}

/** Entities that were left out. */
export interface Filtered {
  /** Followed or engaged with. */
  readonly seen: number;
  readonly blocked: number;
  /** By the request, and by nothing before it. */
  readonly excluded: number;
  /** Their erasure was read, and their tombstone is still to come; none of those above is among them. */
  readonly erased: number;
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
}

export interface RankAnswer extends AnswerHead {
  readonly items: readonly RankedCandidate[];
  /** Candidates without a vector. */
  readonly missing: readonly EntityKey[];
}

export interface SimilarItem {
  readonly entity: EntityKey;
  readonly score: number;
  /** None where no shared neighbour is known. */
  readonly reason?: SharedNeighbours;
}

export interface SimilarAnswer extends AnswerHead {
  readonly items: readonly SimilarItem[];
  readonly filtered: Pick<Filtered, 'erased'>;
}

export interface SurfacesOptions {
  readonly graphs: readonly ServedGraph[];
  /** Where the tables of the graphs are scanned. */
  readonly passes: SharedPasses;
  /** Most ads of one advertiser in a list. */
  readonly adsOfOne: number;
  /** What lists by several interests are made with; where it is absent, all lists are made by user and relations. */
  readonly clusters?: Pick<Clusters, 'centroids'>;
}

/**
 * Answers what the vectors are for: candidates of a surface, neighbours of an entity, ranks of given candidates. Each answer
 * is made of one state of the vectors, that of the moment at which its turn comes. All of them but ranks, which are looked up
 * at once, are refused with FatalError `busy` when too many wait.
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

  /**
   * The nearest entities of an entity's own type; explain: with the neighbours that they share with it. undefined: nothing has a vector of that name. @throws UsageError for a type
   * that no graph has, or a graph that is not served.
   */
  similar(
    entity: EntityKey,
    k: number,
    graphName?: string,
    explain = false,
  ): Promise<SimilarAnswer | undefined> {
    return this.#options.passes.ask(() => this.#similar(entity, k, graphName, explain));
  }

  /**
   * The score of each candidate for the user by a relation, the highest first. A user or relation without a vector: undefined.
   * @throws UsageError for a relation that does not begin at users, for candidates of a type that the relation does not lead to,
   * or for a graph that is not served.
   */
  rank(
    user: EntityKey,
    relation: string,
    candidates: readonly EntityKey[],
    graphName?: string,
  ): RankAnswer | undefined {
    const graph = this.#graphs(graphName).find((each) =>
      each.relations.some(({ name, lhs }) => name === relation && lhs === USER),
    );
    if (graph === undefined) throw unknownRelation(relation, this.#graphs(graphName));
    const { rhs: type = '' } = graph.relations.find(({ name }) => name === relation) ?? {};
    refuseOthers('candidates', type, candidates);
    const space = graph.spaces.current;
    const table = space?.table(type);
    const [query] = space === undefined ? [] : this.#queries(graph, space, user, [relation]);
    if (space === undefined || table === undefined || query === undefined) return undefined;
    const scored = scoredTable(table, query.of);
    const items: RankedCandidate[] = [];
    const missing: EntityKey[] = [];
    for (const entity of candidates) {
      const row = table.rowOf(entity);
      if (row === undefined) missing.push(entity);
      else items.push({ entity, score: scoreOf(scored, query.vector, row) });
    }
    items.sort((a, b) => b.score - a.score);
    return { ...about(graph, space), items, fallback: null, missing };
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
    const { graph, leftOut, idle, filtered, space, table, queries } = this.#begin(asked);
    const adsOfOne = surface === 'ads' ? this.#options.adsOfOne : undefined;
    if (table === undefined || queries.length === 0) {
      const { accepts } = adLimiter(graph, adsOfOne);
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
      ...(explain && { reason: itemReason(queries, scores, table.scan.vector(row), recent) }),
    }));
    return { ...about(graph, space), items, fallback: null, interests: 'none', filtered };
  }

  /** undefined where several interests were not asked for, or nothing is known of them. */
  *#byInterests(asked: CandidatesAsked): Asking<Answer | undefined> {
    const { interests: way = 'none', user, k, explain = false, surface } = asked;
    if (way === 'none') return undefined;
    const { graph, leftOut, idle, filtered, space, table, relations } = this.#begin(asked);
    const of = space?.relations.values().next().value;
    if (table === undefined || of === undefined) return undefined;
    const targets = targetsOf(graph.activity, user, relations).filter(
      ({ entity }) => table.rowOf(entity) !== undefined,
    );
    const interests = this.#interests(table, targets);
    if (interests.length === 0) return undefined;
    const scored = scoredTable(table, of);
    const rows = table.rowsOf(leftOut);
    const accepting = () => adLimiter(graph, surface === 'ads' ? this.#options.adsOfOne : undefined).accepts;
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
  #interests(table: VectorTable, targets: readonly OwnTarget[]): Interest[] {
    const { clusters } = this.#options;
    const vectors = targets.slice(-NEWEST_TARGETS).flatMap(({ entity }) => table.vectorOf(entity) ?? []);
    const centroids = vectors.length === 0 ? undefined : clusters?.centroids(table);
    return centroids === undefined ? [] : mixtureOf(vectors, centroids);
  }

  /** What a list is made of, as of now: who is asked for, what is left out, and where to look. @throws UsageError as `candidates`. */
  #begin(asked: CandidatesAsked) {
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
    const known = new Set([...seen, ...blocked, user]);
    const excluded = new Set(exclude.filter((entity) => !known.has(entity)));
    const leftOut = new Set([...known, ...excluded]);
    return {
      graph,
      idle,
      leftOut,
      filtered: {
        seen: seen.size,
        blocked: blocked.size,
        excluded: table?.rowsOf(excluded).length ?? 0,
        erased: space?.erased(shown, leftOut) ?? 0,
        idle: idle.count,
      },
      space,
      table,
      queries: space === undefined ? [] : this.#queries(graph, space, user, relations),
      relations,
    };
  }

  *#similar(
    entity: EntityKey,
    k: number,
    graphName: string | undefined,
    explain: boolean,
  ): Asking<SimilarAnswer | undefined> {
    const graphs = this.#graphs(graphName);
    refuseUnknown('entity', graphs, entity);
    for (const graph of graphs) {
      const space = graph.spaces.current;
      const table = space?.table(typeOf(entity));
      const vector = table?.vectorOf(entity);
      const [of] = space?.relations.values() ?? [];
      if (space === undefined || table === undefined || vector === undefined || of === undefined) continue;
      const query = { vector: Float64Array.from(vector), weight: 1 };
      const found = yield* weightedTop(scoredTable(table, of), [query], table.rowsOf([entity]), k);
      const sharing = explain ? sharingWith(graph, entity) : () => undefined;
      const items = found.map(({ row, score }) => {
        const name = table.nameOf(row);
        const reason = sharing(name);
        return { entity: name, score, ...(reason && { reason }) };
      });
      const filtered = { erased: space.erased(typeOf(entity)) };
      return { ...about(graph, space), items, fallback: null, filtered };
    }
    return undefined;
  }

  /** The graph and the relations that a surface asks by. */
  #relationsOf({ surface, relation, graph: name }: CandidatesAsked): {
    graph: ServedGraph;
    relations: string[];
  } {
    const shown = SHOWS[surface];
    const fits = ({ name, lhs, rhs }: Relation) =>
      lhs === USER && rhs === shown && (relation === undefined || name === relation);
    const graphs = this.#graphs(name);
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
  #graphs(name: string | undefined): readonly ServedGraph[] {
    return namedGraphs(this.#options.graphs, name);
  }

  /**
   * The user's vector moved by each trained relation, weighted by the user's own edges; by those of all users where none of
   * the user's own is remembered, as the evaluation weighs. None where the user has no vector.
   */
  #queries(
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

function unknownRelation(relation: string, graphs: readonly ServedGraph[]): UsageError {
  const names = [...new Set(graphs.flatMap(({ relations }) => relations.map(({ name }) => name)))];
  return new UsageError(
    'relation',
    `relation: expected one of ${names.join(', ')} that fits, seen ${JSON.stringify(relation)}`,
  );
}
