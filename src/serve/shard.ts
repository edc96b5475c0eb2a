import { type EntityKey, typeOf } from '../graph/entity.ts';
import { ahead } from '../kernels/scan/scan.ts';
import { acceptedTop, adLimiter, PROMOTES } from './accepted-rows.ts';
import { refuseUnknown } from './asked-entities.ts';
import type { GraphStatus } from './graph-status.ts';
import type { Holding, Part, SpaceId } from './holding.ts';
import { type Asking, lookForRanks } from './looks.ts';
import { itemReason, NEAR, recentOf, vectorsOf } from './reasons.ts';
import {
  about,
  decayLosses,
  idleRows,
  type RelationQuery,
  type ServedGraph,
  scoredTable,
  USER,
} from './served-graph.ts';
import type {
  ShardAnswers,
  ShardItem,
  ShardLook,
  ShardQuery,
  ShardQuestion,
  ShardQuestions,
} from './shard-questions.ts';
import { popularOf, searchBegun, searchersOfAll, sharingTexts, trigramCounts } from './shard-search.ts';
import { sharingWith } from './shared-neighbours.ts';
import type { SharedPasses } from './shared-passes.ts';
import type { Space } from './spaces.ts';
import { type CandidatesAsked, SHOWS, type Surfaces } from './surfaces.ts';
import type { Users } from './users.ts';
import type { VectorTable } from './vector-table.ts';
import { comparedScoreOf, type ScoredTable, scoreOf } from './weighted-top.ts';

/** The vectors asked for are not those that the shard holds now. */
export class SpaceMoved extends Error {
  readonly statusCode = 409;

  constructor({ graph, space }: SpaceId, current: Space | undefined) {
    super(`${graph}: asked for the space ${space}, and serving ${current?.space ?? 'none'}`);
  }
}

export interface ShardOptions {
  readonly surfaces: Surfaces;
  readonly passes: SharedPasses;
  readonly users: Users;
  status(): readonly GraphStatus[];
  /** Undefined before the topics were looked at. */
  part(graph: string): Part | undefined;
  /** Most edges remembered of one user. */
  readonly edgesOfOne: number;
}

/** How much of each a question of a process that merges lists can have, unless somebody else asks. */
export interface QuestionLimits {
  readonly queries: number;
  /** Of what the user did and blocked, without what the request itself leaves out. */
  readonly leftOut: number;
  readonly recent: number;
}

/**
 * Answers a process that merges the lists of several, each of which holds the vectors of some partitions. Every shard reads
 * all event topics: whoever holds a user's vector knows all of the user's edges, and what is popular is the same everywhere, but for what is hardly popular where `--edges`
 * bounds it.
 */
export class Shard {
  readonly #options: ShardOptions;
  readonly #answers: {
    [Q in ShardQuestion]: (question: ShardQuestions[Q]) => ShardAnswers[Q] | Asking<ShardAnswers[Q]>;
  };

  constructor(options: ShardOptions) {
    this.#options = options;
    const { surfaces, users } = options;
    this.#answers = {
      state: () => ({
        holdings: surfaces.graphs(undefined).map((graph) => this.#holding(graph, graph.spaces.current)),
        status: options.status(),
      }),
      'begin-candidates': ({ asked }) => inTurn(() => this.#candidates(asked)),
      'begin-similar': ({ entity, graph }) => inTurn(() => this.#similar(entity, graph)),
      'begin-rank': ({ user, relation, graph }) => inTurn(() => this.#rank(user, relation, graph)),
      top: (question) => this.#top(question),
      popular: (question) => inTurn(() => this.#popular(question)),
      // A few vectors by name, which are valid until the next write: they are sent before it.
      vectors: ({ type, entities, ...of }) => ({ vectors: vectorsOf(this.#table(of, type).table, entities) }),
      scores: (question) => inTurn(() => this.#scores(question)),
      ranks: (question) => this.#ranks(question),
      'begin-search': (asked) =>
        inTurn(() => {
          const place = surfaces.beginSearch(asked.type, asked.graph);
          return searchBegun(place, asked, (graph) => this.#holding(graph, graph.spaces.current));
        }),
      'alike-texts': ({ trigrams, ...of }) =>
        inTurn(() => ({ texts: sharingTexts(this.#graph(of), trigrams) })),
      'trigram-counts': ({ trigrams, ...of }) => inTurn(() => trigramCounts(this.#graph(of), trigrams)),
      searchers: ({ shown, searched, type, graph, queries }) => {
        for (const space of [shown, searched]) this.#graph(space);
        return searchersOfAll(surfaces.beginSearch(type, graph), queries);
      },
      'popular-type': ({ type, idleMs, count, known, ...of }) =>
        inTurn(() => ({ items: popularOf(this.#graph(of), { type, idleMs, count, known }) })),
      recent: ({ user, k }) => users.recentAnswer(user, k),
      'random-user': () => ({ user: users.random() }),
    };
  }

  get limits(): QuestionLimits {
    const graphs = this.#options.surfaces.graphs(undefined);
    // A list is asked for by relations that lead from users to one type.
    const counts = graphs.flatMap(({ relations }) =>
      Object.values(SHOWS).map(
        (shown) => relations.filter(({ lhs, rhs }) => lhs === USER && rhs === shown).length,
      ),
    );
    const queries = Math.max(1, ...counts);
    // As many blocks are remembered besides, and the user is left out too.
    return { queries, leftOut: 2 * this.#options.edgesOfOne + 1, recent: NEAR * queries };
  }

  /**
   * @throws UsageError for what `Surfaces` refuses; SpaceMoved when other vectors are held than those asked for; FatalError
   * `busy` when too many wait.
   */
  async answer<Q extends ShardQuestion>(name: Q, question: ShardQuestions[Q]): Promise<ShardAnswers[Q]> {
    const answer = this.#answers[name](question);
    if (!('next' in answer)) return answer;
    return this.#options.passes.ask(() => this.#asking(name, question));
  }

  /** Makes an answer as of now. */
  *#asking<Q extends ShardQuestion>(name: Q, question: ShardQuestions[Q]): Asking<ShardAnswers[Q]> {
    const answer = this.#answers[name](question);
    return 'next' in answer ? yield* answer : answer;
  }

  #holding(graph: ServedGraph, space: Space | undefined): Holding {
    return {
      ...about(graph, space),
      fingerprint: space?.fingerprint ?? '',
      part: this.#options.part(graph.name) ?? { held: [], of: 0 },
    };
  }

  #candidates(asked: CandidatesAsked): ShardAnswers['begin-candidates'] {
    const { graph, leftOut, filtered, space, table, queries } = this.#options.surfaces.begin(asked);
    const recent = asked.explain === true ? recentOf(graph, asked.user, queries) : [];
    const begun = {
      ...this.#holding(graph, space),
      filtered,
      type: SHOWS[asked.surface],
      holds: table !== undefined,
      queries: queries.map(shardQuery),
      leftOut: queries.length > 0 ? [...leftOut] : [],
      recent,
    };
    return { begun: [begun] };
  }

  #similar(entity: EntityKey, name: string | undefined): ShardAnswers['begin-similar'] {
    const graphs = this.#options.surfaces.graphs(name);
    refuseUnknown('entity', graphs, entity);
    const begun = graphs.map((graph) => {
      const { current } = graph.spaces;
      const vector = current?.vectorOf(entity);
      const [of] = current?.relations.values() ?? [];
      const found = vector !== undefined && of !== undefined;
      return {
        ...this.#holding(graph, current),
        filtered: { ...NOTHING_FILTERED, erased: current?.erased(typeOf(entity)) ?? 0 },
        type: typeOf(entity),
        holds: current?.table(typeOf(entity)) !== undefined,
        queries: found ? [shardQuery({ vector: Float64Array.from(vector), weight: 1, of })] : [],
        leftOut: found ? [entity] : [],
        recent: [],
      };
    });
    return { begun };
  }

  #rank(user: EntityKey, relation: string, name: string | undefined): ShardAnswers['begin-rank'] {
    const { graph, space, type, table, queries } = this.#options.surfaces.beginRank(user, relation, name);
    const begun = {
      ...this.#holding(graph, space),
      filtered: NOTHING_FILTERED,
      type,
      holds: table !== undefined,
      queries: queries.map(shardQuery),
      leftOut: [],
      recent: [],
    };
    return { begun: [begun] };
  }

  *#top(question: ShardQuestions['top']): Asking<ShardAnswers['top']> {
    const { queries, leftOut, idleMs, decay, count, adsOfOne, recent, sharedWith } = question;
    const { graph, table, scored } = this.#scored(question);
    if (table === undefined || scored === undefined) return { items: [] };
    const without = {
      leftOut: table.rowsOf(leftOut),
      marked: idleRows(graph, table, idleMs).marks,
      losses: decay && decayLosses(graph, table, decay),
    };
    const found = yield* acceptedTop(graph, table, scored, queries, without, count, adsOfOne);
    const weighed = queries.map((query) => ({ weight: query.weight, of: query }));
    const sharing = sharedWith === undefined ? () => undefined : sharingWith(graph, sharedWith);
    const items = found.map(({ entity, row, score, scores }) => {
      const shared = sharing(entity);
      return {
        ...limited(graph, entity, adsOfOne),
        entity,
        score,
        ...(recent && { reason: itemReason(weighed, scores, table.scan.vector(row), recent) }),
        ...(shared && { shared }),
      };
    });
    return { items };
  }

  #popular({ asked, count, known, adsOfOne, ...of }: ShardQuestions['popular']): ShardAnswers['popular'] {
    const { graph, leftOut, idle } = this.#options.surfaces.begin({ ...asked, graph: of.graph });
    const type = SHOWS[asked.surface];
    const { table } = this.#table(of, type);
    const { accepts } = adLimiter(graph, adsOfOne);
    const items: ShardItem[] = [];
    // Far more are popular than a list has: nothing is copied.
    for (const { entity, score } of graph.activity.popular(type)) {
      if (items.length >= count) break;
      const row = table?.rowOf(entity);
      if (known && (row === undefined || idle.marks[row] === 1)) continue;
      if (!leftOut.has(entity) && accepts(entity))
        items.push({ ...limited(graph, entity, adsOfOne), entity, score });
    }
    return { items };
  }

  #scores({ entities, ...look }: ShardQuestions['scores']): ShardAnswers['scores'] {
    const { table, scored } = this.#scored(look);
    const [query] = look.queries;
    if (table === undefined || scored === undefined || query === undefined) return { scores: [] };
    const scores = entities.flatMap((entity) => {
      const row = table.rowOf(entity);
      if (row === undefined) return [];
      const score = scoreOf(scored, query.vector, row);
      return [{ entity, score, compared: comparedScoreOf(scored, query.vector, row) }];
    });
    return { scores };
  }

  *#ranks({ of, ...look }: ShardQuestions['ranks']): Asking<ShardAnswers['ranks']> {
    const { table, scored } = this.#scored(look);
    const [query] = look.queries;
    if (table === undefined || scored === undefined || query === undefined)
      return { ranks: of.map(() => ({ ahead: 0, of: 0 })) };
    const scores = of.map(({ compared }) => compared);
    const ranks = yield* lookForRanks({ ...scored, query: query.vector, scores });
    return {
      ranks: ranks.map(({ rank, compared }, i) => {
        // An entity is not compared with itself, though it may have moved since its score was asked for.
        const own = table.rowOf(of[i]!.entity);
        if (own === undefined) return { ahead: rank - 1, of: compared };
        const itself = ahead(comparedScoreOf(scored, query.vector, own), scores[i]!);
        return { ahead: rank - 1 - itself, of: compared - 1 };
      }),
    };
  }

  /** The table that is looked at, and by what its rows are scored. @throws SpaceMoved. */
  #scored({ type, queries, ...of }: ShardLook): {
    graph: ServedGraph;
    table: VectorTable | undefined;
    scored: ScoredTable | undefined;
  } {
    const { graph, table } = this.#table(of, type);
    const [first] = queries;
    if (table === undefined || first === undefined) return { graph, table, scored: undefined };
    if (queries.some(({ vector }) => vector.length !== table.scan.dim))
      throw new SpaceMoved(of, graph.spaces.current);
    return { graph, table, scored: scoredTable(table, first) };
  }

  /** undefined: the shard holds no vector of the type. @throws SpaceMoved. */
  #table(of: SpaceId, type: string): { graph: ServedGraph; table: VectorTable | undefined } {
    const graph = this.#graph(of);
    return { graph, table: graph.spaces.current?.table(type) };
  }

  /** @throws SpaceMoved. */
  #graph(of: SpaceId): ServedGraph {
    const [graph] = this.#options.surfaces.graphs(of.graph);
    if (graph === undefined) throw new TypeError(`no graph ${of.graph}`);
    const { current } = graph.spaces;
    const held =
      current === undefined || (current.space === of.space && current.fingerprint === of.fingerprint);
    if (!held) throw new SpaceMoved(of, current);
    return graph;
  }
}

/** What needs no look is answered at once, unless too many wait already: then it is refused as well. */
// biome-ignore lint/correctness/useYield: there is nothing to look at.
function* inTurn<T>(answer: () => T): Asking<T> {
  return answer();
}

const NOTHING_FILTERED = { seen: 0, blocked: 0, excluded: 0, erased: 0, idle: 0 };

function shardQuery({ vector, weight, of }: RelationQuery): ShardQuery {
  const { relation, scorer, beta } = of;
  return { vector, weight, relation, scorer, beta };
}

/** What a limit of ads has to know of an ad. */
function limited(
  { activity }: ServedGraph,
  entity: EntityKey,
  adsOfOne: number | undefined,
): Pick<ShardItem, 'advertiser'> {
  const advertiser = adsOfOne === undefined ? undefined : activity.sourceOf(entity, PROMOTES);
  return advertiser === undefined ? {} : { advertiser };
}
