import type { UsageError } from '../errors/errors.ts';
import { type EntityKey, idOf } from '../graph/entity.ts';
import { popularItems } from './accepted-rows.ts';
import type { SearchAnswer } from './answers.ts';
import { countOf, keyOf } from './entities.ts';
import { meanOf } from './interests.ts';
import type { Asking } from './looks.ts';
import {
  about,
  idleRows,
  movedBy,
  namedGraphs,
  readEntity,
  refuseUnread,
  type ServedGraph,
  scoredTable,
  trainedRelation,
  wrongQuestion,
} from './served-graph.ts';
import { QUERY, type Space } from './spaces.ts';
import { weightedTop } from './weighted-top.ts';

/** Those nearest to a query who stand for its searchers, where nobody is known who searched it. */
const STAND_INS = 20;

export interface SearchAsked {
  /** What somebody typed. */
  readonly q: string;
  /** The type of the entities that are searched for. */
  readonly type: string;
  /** The graph whose vectors the list is made of; unless said, the first one that has the type, best one that knows of searches too. */
  readonly graph?: string | undefined;
  /** Entities in the list: 20 unless given. */
  readonly k?: number | undefined;
  /** Leaves out what no event named for so long; nothing unless given. */
  readonly idleMs?: number | undefined;
}

/**
 * Where a search is asked, and of whom. One graph may know who searched what, and another one have the vectors that a list is made of: as the
 * vectors of two graphs can't be compared, only the searchers' names lead from one to the other.
 */
interface Place {
  /** From searchers to queries, in the graph that knows of searches. */
  readonly asks: Way;
  /** From searchers to what is shown, in the graph that has its vectors. */
  readonly shows: Way;
}

/**
 * Answers a search. No relation leads from a query to what is shown: a search is asked as for an entity in the middle of
 * those who searched it lately. `bench/search.ts` of commit 19c671c compares this with other ways.
 * @throws UsageError when no graph knows of searches, or none has the type.
 */
export function* search(
  served: readonly ServedGraph[],
  { q, type, k, idleMs, graph: name }: SearchAsked,
): Asking<SearchAnswer> {
  const query = keyOf('q', q, (text) => readEntity(`${QUERY}:${text}`));
  const count = countOf('k', k);
  const place = placeOf(served, name, type);
  const { graph, names } = place.shows;
  const searched = place.asks.graph;
  refuseUnread(graph, searched);
  const { activity, spaces } = graph;
  const space = spaces.current;
  const table = space?.table(type);
  const known = searched.spaces.current;
  const idle = idleRows(graph, table, idleMs);
  const stale = [graph, searched].flatMap((each) => each.staleSince() ?? []);
  const said = {
    filtered: { erased: space?.erased(type) ?? 0, idle: idle.count },
    ...about(graph, space),
    staleSince: stale.length === 0 ? null : Math.min(...stale),
    query: {
      text: idOf(query),
      known: known?.vectorOf(query) !== undefined,
      graph: searched.name,
    },
  };
  const point = space && known && (yield* pointOf(place, space, known, query));
  const queries = space && point ? movedBy(space, point, names, (each) => activity.liveOfAll(each)) : [];
  if (table === undefined || queries.length === 0) {
    const items = popularItems(activity, type, table, idle, count);
    return { items, ...said, fallback: 'popular' };
  }
  const found = yield* weightedTop(scoredTable(table, queries[0]!.of), queries, [], count, idle.marks);
  const items = found.map(({ row, score }) => ({ entity: table.nameOf(row), score }));
  return { items, ...said, fallback: null };
}

/** @throws UsageError as `search`. */
function placeOf(served: readonly ServedGraph[], name: string | undefined, type: string): Place {
  const knowing = waysTo(served, QUERY);
  const places = waysTo(namedGraphs(served, name), type).flatMap((shows) =>
    knowing.filter(({ lhs }) => lhs === shows.lhs).map((asks) => ({ shows, asks })),
  );
  const place = places.find(({ shows, asks }) => shows.graph === asks.graph) ?? places[0];
  if (place === undefined) throw unsearchable(namedGraphs(served, name), type, knowing);
  return place;
}

/** The relations of a graph from one type, such as `user`, to another. */
interface Way {
  readonly graph: ServedGraph;
  readonly lhs: string;
  readonly names: readonly string[];
}

function waysTo(graphs: readonly ServedGraph[], type: string): Way[] {
  return graphs.flatMap((graph) => {
    const byLhs = Map.groupBy(
      graph.relations.filter(({ rhs }) => rhs === type),
      ({ lhs }) => lhs,
    );
    return Array.from(byLhs, ([lhs, of]) => ({ graph, lhs, names: of.map(({ name }) => name) }));
  });
}

function unsearchable(graphs: readonly ServedGraph[], type: string, knowing: readonly Way[]): UsageError {
  const wrong = (reason: string) => wrongQuestion('type', reason);
  if (knowing.length === 0)
    return wrong(`a search needs a relation to ${QUERY}, and no graph that is served has one`);
  const searchers = new Set(knowing.map(({ lhs }) => lhs));
  const leading = graphs.flatMap(({ relations }) => relations.filter(({ lhs }) => searchers.has(lhs)));
  const types = new Set(leading.map(({ rhs }) => rhs).filter((each) => each !== QUERY));
  const names = graphs.map(({ name }) => name).join(', ');
  const missing = `none of the graphs ${names} has a relation from ${[...searchers].join(' or ')} to ${type}`;
  return wrong(`${missing}; expected one of ${[...types].join(', ')}`);
}

/**
 * The mean vector of the recent searchers of a query, or of their stand-ins where no searcher has a vector; undefined for a query
 * without a vector.
 * space: the vectors that are shown; known: those that queries have, the same where one graph has both.
 */
function* pointOf(
  place: Place,
  space: Space,
  known: Space,
  query: EntityKey,
): Asking<Float64Array | undefined> {
  const vector = known.vectorOf(query);
  if (vector === undefined) return undefined;
  const { graph, names } = place.asks;
  const searchers = new Set(names.flatMap((relation) => graph.activity.recentSourcesOf(query, relation)));
  return middleOf(space, searchers) ?? (yield* standInsOf(place, space, known, vector));
}

/** The query's vector moved to its searchers by an inverse relation or, in another graph, the mean of those nearest to it. */
function* standInsOf(
  { asks }: Place,
  space: Space,
  known: Space,
  vector: Float32Array,
): Asking<Float64Array | undefined> {
  const of = asks.names.flatMap((relation) => trainedRelation(known, relation, true) ?? [])[0];
  if (of === undefined) return undefined;
  const moved = Float64Array.from(vector, (value, k) => value + of.vector[k]!);
  if (space === known) return moved;
  const table = known.table(asks.lhs);
  if (table === undefined) return undefined;
  const near = yield* weightedTop(scoredTable(table, of), [{ vector: moved, weight: 1 }], [], STAND_INS);
  return middleOf(
    space,
    near.map(({ row }) => table.nameOf(row)),
  );
}

/** The mean of the entities' vectors; undefined where none has one. */
function middleOf(space: Space, entities: Iterable<EntityKey>): Float64Array | undefined {
  const vectors = [...entities].flatMap((each) => space.vectorOf(each) ?? []);
  return vectors.length === 0 ? undefined : meanOf(vectors);
}
