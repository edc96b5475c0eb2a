import { type EntityKey, typeOf } from '../graph/entity.ts';
import type { Surface } from '../graph/surface.ts';
import { acceptedTop, groupLimiter, popularItems } from './accepted-rows.ts';
import type { Answer, RankAnswer, SearchAnswer, SimilarAnswer } from './answers.ts';
import { type About, countOf, keyOf, keysOf, oneOf, refuseOthers, refuseUnknown } from './entities.ts';
import { type CentroidsOf, type InterestWay, interestTop, mixtureOf } from './interests.ts';
import type { Asking } from './looks.ts';
import { type PlanAsked, planOf, wrongRelation } from './plan.ts';
import { engagedOf, itemReason, meanScores, nearestOf, sharingWith } from './reasons.ts';
import { type SearchAsked, search } from './search.ts';
import {
  about,
  idleRows,
  movedBy,
  namedGraphs,
  type RelationQuery,
  refuseUnread,
  type ServedGraph,
  scoredTable,
  trainedRelation,
} from './served-graph.ts';
import type { SharedPasses } from './shared-passes.ts';
import type { Space } from './spaces.ts';
import { scoreOf, weightedTop } from './weighted-top.ts';

export interface CandidatesAsked extends About, Omit<PlanAsked, 'from'> {
  /** Entities in the list: 20 unless given. */
  readonly k?: number | undefined;
  /** As `TYPE:ID`. */
  readonly exclude?: readonly string[] | undefined;
  readonly explain?: boolean | undefined;
  /** Leaves out what no event named for so long; nothing unless given. */
  readonly idleMs?: number | undefined;
  /** By several interests of the entity; by its vector and the relations unless said. */
  readonly interests?: InterestWay | undefined;
}

/** explain: with the neighbours that each shares with the entity. */
export interface SimilarAsked extends Pick<CandidatesAsked, 'k' | 'graph' | 'exclude' | 'explain'> {
  readonly entity: string;
}

export interface RankAsked extends About, Pick<CandidatesAsked, 'graph'> {
  readonly relation: string;
  readonly candidates: readonly string[];
}

export interface SurfacesOptions {
  readonly graphs: readonly ServedGraph[];
  /** Where the tables of the graphs are scanned. */
  readonly passes: SharedPasses;
  readonly surfaces: readonly Surface[];
  /** What lists by several interests are made with; where it is absent, all lists are made by vector and relations. */
  readonly centroidsOf?: CentroidsOf;
}

/**
 * Answers what the vectors are for: lists for an entity, neighbours of an entity, scores of given candidates. Each answer
 * is made of one state of the vectors, that of the moment at which its turn comes. All of them but ranks, which are looked up
 * at once, are refused with FatalError `busy` when too many wait; and all of a graph that is not read with RetryableError `not-read`.
 */
export class Surfaces {
  readonly #options: SurfacesOptions;

  constructor(options: SurfacesOptions) {
    this.#options = options;
  }

  /** A list of `k` entities, if so many are left; popular ones are among 16,384. @throws UsageError when no graph can answer it. */
  candidates(asked: CandidatesAsked): Promise<Answer> {
    return this.#options.passes.ask(() => this.#candidates(asked));
  }

  /** The nearest entities of an entity's own type; undefined: nothing has a vector of that name. @throws UsageError for a type that no graph has. */
  similar(asked: SimilarAsked): Promise<SimilarAnswer | undefined> {
    return this.#options.passes.ask(() => this.#similar(asked));
  }

  /**
   * The score of each candidate by a relation from an entity, the highest first; undefined: the entity or the relation has no vector.
   * @throws UsageError for a relation that does not begin at the entity's type, or candidates of a type that it does not lead to.
   */
  rank(asked: RankAsked): RankAnswer | undefined {
    const { relation } = asked;
    const from = oneOf('from', asked.from, asked.user);
    const candidates = keysOf('candidates', asked.candidates);
    const graphs = namedGraphs(this.#options.graphs, asked.graph);
    refuseUnknown('from', graphs, from);
    const type = typeOf(from);
    const graph = graphs.find(({ relations }) =>
      relations.some(({ name, lhs }) => name === relation && lhs === type),
    );
    if (graph === undefined) throw wrongRelation(graphs, relation, type);
    refuseUnread(graph);
    const { rhs = '' } = graph.relations.find(({ name }) => name === relation) ?? {};
    refuseOthers('candidates', rhs, candidates);
    const space = graph.spaces.current;
    const table = space?.table(rhs);
    const [query] = space === undefined ? [] : queriesOf(graph, space, from, [relation]);
    if (space === undefined || table === undefined || query === undefined) return undefined;
    const scored = scoredTable(table, query.of);
    const items: RankAnswer['items'] = [];
    const missing: EntityKey[] = [];
    for (const entity of candidates) {
      const row = table.rowOf(entity);
      if (row === undefined) missing.push(entity);
      else items.push({ entity, score: scoreOf(scored, query.vector, row) });
    }
    items.sort((a, b) => b.score - a.score);
    return { ...about(graph, space), items, fallback: null, missing };
  }

  /** Entities of a type for a query. @throws UsageError when no graph knows of searches and of the type. */
  search(asked: SearchAsked): Promise<SearchAnswer> {
    return this.#options.passes.ask(() => search(this.#options.graphs, asked));
  }

  *#candidates(asked: CandidatesAsked): Asking<Answer> {
    return (yield* this.#byInterests(asked)) ?? (yield* this.#byRelations(asked));
  }

  *#byRelations(asked: CandidatesAsked): Asking<Answer> {
    const { explain = false } = asked;
    const { from, k, plan, leftOut, groups, idle, said, table, queries } = this.#begin(asked);
    const { graph } = plan;
    if (table === undefined || queries.length === 0) {
      const { accepts } = groupLimiter(graph, groups);
      const isKept = (entity: EntityKey) => !leftOut.has(entity) && accepts(entity);
      const items = popularItems(graph.activity, plan.to, table, idle, k, isKept);
      return { ...said, items, fallback: 'popular', interests: 'none' };
    }
    const scored = scoredTable(table, queries[0]!.of);
    const rows = table.rowsOf(leftOut);
    const found = yield* acceptedTop(graph, table, idle.marks, k, groups, (length, marks) =>
      weightedTop(scored, queries, rows, length, marks),
    );
    const recent = explain ? engagedOf(graph, table, from, plan.relations) : [];
    const means = explain ? meanScores(found, queries.length) : [];
    const items = found.map(({ entity, row, score, scores }) => ({
      entity,
      score,
      ...(explain && { reason: itemReason(entity, queries, scores, means, table.scan.vector(row), recent) }),
    }));
    return { ...said, items, fallback: null, interests: 'none' };
  }

  /** undefined where several interests were not asked for, or nothing is known of them. */
  *#byInterests(asked: CandidatesAsked): Asking<Answer | undefined> {
    const { interests: way = 'none', explain = false } = asked;
    if (way === 'none') return undefined;
    const { from, k, plan, leftOut, groups, idle, said, space, table } = this.#begin(asked);
    const { graph, relations } = plan;
    const of = space?.relations.values().next().value;
    if (table === undefined || of === undefined) return undefined;
    const engaged = engagedOf(graph, table, from, relations);
    const centroids = engaged.length === 0 ? undefined : this.#options.centroidsOf?.(table);
    // Clusters may still be made for the first time.
    if (centroids === undefined) return undefined;
    const interests = mixtureOf(
      engaged.map(({ vector }) => vector),
      centroids,
    );
    const scored = scoredTable(table, of);
    const rows = table.rowsOf(leftOut);
    const found = yield* acceptedTop(graph, table, idle.marks, k, groups, (length, marks) =>
      interestTop(scored, interests, rows, length, marks),
    );
    const items = found.map(({ entity, row, score, interest: { share } }) => {
      const near = explain ? nearestOf(entity, table.scan.vector(row), engaged) : undefined;
      return {
        entity,
        score,
        ...(near && { reason: { relation: near.relation, share, score, ...near.said } }),
      };
    });
    return { ...said, items, fallback: null, interests: way };
  }

  /** What a list is made of, as of now: who is asked for, what is left out, and where to look. @throws UsageError. */
  #begin(asked: CandidatesAsked) {
    const from = oneOf('from', asked.from, asked.user);
    const k = countOf('k', asked.k);
    const exclude = keysOf('exclude', asked.exclude);
    const plan = planOf(this.#options.graphs, this.#options.surfaces, { ...asked, from });
    const { graph, to, relations, leaveOut, atMost } = plan;
    refuseOthers('exclude', to, exclude);
    refuseUnread(graph);
    const { activity } = graph;
    const { targets: seen, complete: seenComplete } = activity.seen(from, leaveOut);
    const blocked = new Set(activity.blocked(from, to));
    const { lhs: owner = to } = graph.relations.find(({ name }) => name === atMost?.by) ?? {};
    const groups = atMost && { ...atMost, blocked: activity.blocked(from, owner) };
    const space = graph.spaces.current;
    const table = space?.table(to);
    const idle = idleRows(graph, table, asked.idleMs);
    const known = new Set([...seen, ...blocked, from]);
    const excluded = new Set(exclude.filter((entity) => !known.has(entity)));
    const leftOut = new Set([...known, ...excluded]);
    return {
      from,
      k,
      plan,
      idle,
      leftOut,
      groups,
      said: {
        ...about(graph, space),
        seenComplete,
        filtered: {
          seen: seen.filter((entity) => !blocked.has(entity)).length,
          blocked: blocked.size,
          excluded: table?.rowsOf(excluded).length ?? 0,
          erased: space?.erased(to, leftOut) ?? 0,
          idle: idle.count,
        },
      },
      space,
      table,
      queries: space === undefined ? [] : queriesOf(graph, space, from, relations),
    };
  }

  *#similar(asked: SimilarAsked): Asking<SimilarAnswer | undefined> {
    const { explain = false } = asked;
    const entity = keyOf('entity', asked.entity);
    const k = countOf('k', asked.k);
    const exclude = keysOf('exclude', asked.exclude);
    const graphs = namedGraphs(this.#options.graphs, asked.graph);
    refuseUnknown('entity', graphs, entity);
    const type = typeOf(entity);
    refuseOthers('exclude', type, exclude);
    const unread = graphs.filter((graph) => graph.unready().length > 0);
    for (const graph of graphs.filter((each) => !unread.includes(each))) {
      const space = graph.spaces.current;
      const table = space?.table(type);
      const vector = table?.vectorOf(entity);
      const [of] = space?.relations.values() ?? [];
      if (space === undefined || table === undefined || vector === undefined || of === undefined) continue;
      const query = { vector: Float64Array.from(vector), weight: 1 };
      const leftOut = new Set([entity, ...exclude]);
      const rows = table.rowsOf(leftOut);
      const found = yield* weightedTop(scoredTable(table, of), [query], rows, k);
      const sharing = explain ? sharingWith(graph, entity) : () => undefined;
      const items = found.map(({ row, score }) => {
        const name = table.nameOf(row);
        const reason = sharing(name);
        return { entity: name, score, ...(reason && { reason }) };
      });
      const filtered = { excluded: rows.length - 1, erased: space.erased(type, leftOut) };
      return { ...about(graph, space), items, fallback: null, filtered };
    }
    // It may be in one that is not read yet.
    refuseUnread(...unread);
    return undefined;
  }
}

/**
 * The entity's vector moved by each trained relation, weighted by the entity's own edges; by those of all entities where none of
 * its own is remembered, as the evaluation weighs. None where the entity has no vector.
 */
function queriesOf(
  { activity }: ServedGraph,
  space: Space,
  from: EntityKey,
  relations: readonly string[],
): RelationQuery[] {
  const own = space.vectorOf(from);
  if (own === undefined) return [];
  const edgesOf = (relation: string) => activity.liveOf(from, relation);
  const trained = relations.filter((relation) => trainedRelation(space, relation) !== undefined);
  const hasOwn = trained.some((relation) => edgesOf(relation) > 0);
  return movedBy(space, own, trained, hasOwn ? edgesOf : (relation) => activity.liveOfAll(relation));
}
