import { UsageError } from '../errors/errors.ts';
import type { Relation } from '../graph/edge.ts';
import { type EntityKey, entityKey, idOf } from '../graph/entity.ts';
import type { Asking } from './looks.ts';
import {
  type AnswerHead,
  about,
  idleRows,
  movedBy,
  namedGraphs,
  type ServedGraph,
  scoredTable,
  trainedRelation,
  USER,
} from './served-graph.ts';
import { QUERY, type Space } from './spaces.ts';
import { weightedTop } from './weighted-top.ts';

/** What can be searched for. */
export const SEARCHED = ['tweet', 'user'] as const;

/** Known queries that stand for an unknown one, how alike the text of each has to be, and what share as alike as the first. */
const [MOST_USED, LEAST_ALIKE, OF_FIRST] = [3, 0.2, 0.5];

export interface SearchAsked {
  /** With its text normalised, as `readEntity` gives it. */
  readonly query: EntityKey;
  readonly type: (typeof SEARCHED)[number];
  readonly k: number;
  /** The graph asked; unless said, the first one that knows of searches and of the type. */
  readonly graph?: string | undefined;
  /** Leaves out what no event named for so long; nothing unless given. */
  readonly idleMs?: number | undefined;
}

/** A known query that an answer is made of. */
export interface UsedQuery {
  readonly query: EntityKey;
  /** How alike its text is to what was asked for, 1 for the same. */
  readonly alike: number;
}

export interface SearchAnswer extends AnswerHead {
  readonly items: readonly { readonly entity: EntityKey; readonly score: number | null }[];
  /** Entities that were left out. */
  readonly filtered: { readonly erased: number; readonly idle: number };
  readonly query: {
    readonly text: string;
    /** Whether the query itself has a vector. */
    readonly known: boolean;
    readonly used: readonly UsedQuery[];
  };
}

/** Where a search is asked: relations from users to queries, and to what is shown. */
interface Place {
  readonly graph: ServedGraph;
  readonly asks: readonly string[];
  readonly shows: readonly string[];
}

/**
 * Answers a search. No relation leads from a query to a tweet or a user: a search is asked as for a user in the middle of
 * those who searched it of late. `bench/search.ts` compares this with other ways.
 * @throws UsageError when no graph knows of searches and of the type.
 */
export function* search(
  served: readonly ServedGraph[],
  { query, type, k, idleMs, graph: name }: SearchAsked,
): Asking<SearchAnswer> {
  const { graph, asks, shows } = placeOf(namedGraphs(served, name), type);
  const { activity, spaces } = graph;
  const space = spaces.current;
  const table = space?.table(type);
  const used = space === undefined ? [] : usedFor(space, query);
  const idle = idleRows(graph, table, idleMs);
  const said = {
    filtered: { erased: space?.erased(type) ?? 0, idle: idle.count },
    ...about(graph, space),
    query: { text: idOf(query), known: space?.vectorOf(query) !== undefined, used },
  };
  const point = space && pointOf(graph, space, asks, used);
  const queries = space && point ? movedBy(space, point, shows, (each) => activity.liveOfAll(each)) : [];
  if (table === undefined || queries.length === 0) {
    const items: { entity: EntityKey; score: null }[] = [];
    for (const { entity } of activity.popular(type)) {
      if (items.length === k) break;
      const row = table?.rowOf(entity);
      if (table === undefined || (row !== undefined && idle.marks[row] !== 1))
        items.push({ entity, score: null });
    }
    return { items, ...said, fallback: 'popular' };
  }
  const found = yield* weightedTop(scoredTable(table, queries[0]!.of), queries, [], k, idle.marks);
  const items = found.map(({ row, score }) => ({ entity: table.nameOf(row), score }));
  return { items, ...said, fallback: null };
}

function placeOf(graphs: readonly ServedGraph[], type: string): Place {
  for (const graph of graphs) {
    const to = (rhs: string) =>
      graph.relations
        .filter((each: Relation) => each.lhs === USER && each.rhs === rhs)
        .map((each) => each.name);
    const [asks, shows] = [to(QUERY), to(type)];
    if (asks.length > 0 && shows.length > 0) return { graph, asks, shows };
  }
  const names = graphs.map((each) => each.name).join(', ');
  throw new UsageError(
    'search',
    `type: none of the graphs ${names} has relations from ${USER} to ${QUERY} and to ${type}, which a search needs`,
  );
}

/** The query itself if it has a vector, and otherwise the known queries most alike. */
function usedFor(space: Space, query: EntityKey): UsedQuery[] {
  if (space.vectorOf(query) !== undefined) return [{ query, alike: 1 }];
  const near = space.queries.nearest(idOf(query), MOST_USED, LEAST_ALIKE);
  const first = near[0]?.alike ?? 0;
  return near
    .filter(({ alike }) => alike >= OF_FIRST * first)
    .map(({ text, alike }) => ({ query: entityKey(QUERY, text), alike }));
}

/** The mean of the points of the queries, where one more alike counts more; undefined where none has a point. */
function pointOf(
  graph: ServedGraph,
  space: Space,
  asks: readonly string[],
  used: readonly UsedQuery[],
): Float64Array | undefined {
  const points = used.flatMap(({ query, alike }) => {
    const point = middleOf(graph, space, asks, query) ?? movedBack(space, asks, query);
    return point === undefined ? [] : [{ point, weight: alike }];
  });
  return meanOf(points);
}

/** The mean of the vectors of those who searched a query of late; undefined where nobody is known. */
function middleOf(
  { activity }: ServedGraph,
  space: Space,
  asks: readonly string[],
  query: EntityKey,
): Float64Array | undefined {
  const searchers = new Set(asks.flatMap((relation) => activity.recentSourcesOf(query, relation)));
  const vectors = [...searchers].flatMap((searcher) => space.vectorOf(searcher) ?? []);
  return meanOf(vectors.map((point) => ({ point, weight: 1 })));
}

/** A query's vector moved to where its users are, by the inverse of a relation that is trained. */
function movedBack(space: Space, asks: readonly string[], query: EntityKey): Float64Array | undefined {
  const vector = space.vectorOf(query);
  for (const relation of asks) {
    const of = trainedRelation(space, relation, true);
    if (vector !== undefined && of !== undefined)
      return Float64Array.from(vector, (value, k) => value + of.vector[k]!);
  }
  return undefined;
}

function meanOf(
  points: readonly { readonly point: ArrayLike<number>; readonly weight: number }[],
): Float64Array | undefined {
  const [first] = points;
  if (first === undefined) return undefined;
  const mean = new Float64Array(first.point.length);
  const total = points.reduce((sum, { weight }) => sum + weight, 0);
  for (const { point, weight } of points)
    for (let k = 0; k < mean.length; k++) mean[k]! += (weight / total) * point[k]!;
  return mean;
}
