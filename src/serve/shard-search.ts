import type { EntityKey } from '../graph/entity.ts';
import { idOf } from '../graph/entity.ts';
import type { ScorerName } from '../model/settings.ts';
import type { Holding } from './holding.ts';
import type { PopularEntity } from './popularity.ts';
import { type NamedVector, vectorOfAny } from './reasons.ts';
import { backOf, type Place, type SearchAsked, searchersOf } from './search.ts';
import { idleRows, type ServedGraph, trainedRelation } from './served-graph.ts';
import type { Filtered } from './surfaces.ts';
import { type SharingText, trigramsOf, type WeighedTrigram } from './text-index.ts';

/** A relation's vector, as another process can ask by it. */
export interface MovingRelation {
  readonly relation: string;
  /** [dim] in float64. */
  readonly vector: Float64Array;
  readonly scorer: ScorerName;
  readonly beta: number;
}

/** What a shard knows of a search. */
export interface SearchBegun extends Holding {
  readonly filtered: Pick<Filtered, 'erased' | 'idle'>;
  /** Whether the shard has a table of what is looked for. */
  readonly holds: boolean;
  /** The relations that lead from users to what is looked for, and the live edges of all users. */
  readonly shows: readonly { readonly of: MovingRelation; readonly edges: number }[];
  /** What it knows of the query. */
  readonly searched: Searched;
}

/** What a shard knows of a query, of the graph that knows of searches. */
export interface Searched extends Holding {
  /** Whether the shard has the query's vector. */
  readonly known: boolean;
  /** How many texts of queries it has, and how many of these have each trigram of the query. */
  readonly texts: number;
  readonly counts: readonly number[];
  /** Leads from a query back to its users. */
  readonly back?: MovingRelation | undefined;
}

/** Who searched some queries, and where these are. */
export interface Searchers {
  readonly of: readonly {
    /** Those who searched the query of late. */
    readonly searchers: readonly EntityKey[];
    /** Of the query, if the shard has it. */
    readonly vector?: Float32Array | undefined;
  }[];
  /** Of the searchers, as far as the shard has them. */
  readonly vectors: readonly NamedVector[];
}

/** holding: what the shard holds of a graph. */
export function searchBegun(
  { graph, searched, shows, ...place }: Place,
  { query, type, idleMs }: Pick<SearchAsked, 'query' | 'type' | 'idleMs'>,
  holding: (graph: ServedGraph) => Holding,
): SearchBegun {
  const space = graph.spaces.current;
  const known = searched.spaces.current;
  const table = space?.table(type);
  const back = known && backOf({ graph, searched, shows, ...place }, known);
  return {
    ...holding(graph),
    filtered: { erased: space?.erased(type) ?? 0, idle: idleRows(graph, table, idleMs).count },
    holds: table !== undefined,
    shows: shows.flatMap((relation) => {
      const of = space && trainedRelation(space, relation);
      return of === undefined ? [] : [{ of: moving(of), edges: graph.activity.liveOfAll(relation) }];
    }),
    searched: {
      ...holding(searched),
      known: known?.vectorOf(query) !== undefined,
      texts: known?.queries.size ?? 0,
      counts: known?.queries.counts([...trigramsOf(idOf(query))]) ?? [],
      ...(back && { back: moving(back) }),
    },
  };
}

export function sharingTexts(searched: ServedGraph, trigrams: readonly WeighedTrigram[]): SharingText[] {
  return searched.spaces.current?.queries.sharing(trigrams) ?? [];
}

export function trigramCounts(
  searched: ServedGraph,
  trigrams: readonly string[],
): { texts: number; counts: number[] } {
  const { queries } = searched.spaces.current ?? {};
  return { texts: queries?.size ?? 0, counts: queries?.counts(trigrams) ?? trigrams.map(() => 0) };
}

export function searchersOfAll(place: Place, queries: readonly EntityKey[]): Searchers {
  const [space, known] = [place.graph.spaces.current, place.searched.spaces.current];
  const of = queries.map((query) => {
    const vector = known?.vectorOf(query);
    return { searchers: [...searchersOf(place, query)], ...(vector && { vector }) };
  });
  const all = new Set(of.flatMap(({ searchers }) => searchers));
  return { of, vectors: vectorOfAny(space, [...all]) };
}

/** The first popular entities of a type; with `known`, of those with a vector that are not idle. */
export function popularOf(
  graph: ServedGraph,
  {
    type,
    idleMs,
    known,
    count,
  }: { type: string; idleMs?: number | undefined; known: boolean; count: number },
): PopularEntity[] {
  const table = graph.spaces.current?.table(type);
  const { marks } = idleRows(graph, table, idleMs);
  const items: PopularEntity[] = [];
  for (const { entity, score } of graph.activity.popular(type)) {
    if (items.length >= count) break;
    const row = table?.rowOf(entity);
    if (!known || (row !== undefined && marks[row] !== 1)) items.push({ entity, score });
  }
  return items;
}

function moving({
  relation,
  vector,
  scorer,
  beta,
}: Omit<MovingRelation, 'vector'> & { readonly vector: Float32Array }): MovingRelation {
  return { relation, vector: Float64Array.from(vector), scorer, beta };
}
