import { normalizeQuery } from '../../topics/fields.ts';
import { type RelationVector, relationKey } from '../../topics/model.ts';
import { RetryableError, UsageError } from '../errors/errors.ts';
import type { Relation } from '../graph/edge.ts';
import { type EntityKey, parseEntityKey } from '../graph/entity.ts';
import type { Activity } from './activity/activity.ts';
import type { AnswerHead } from './answers.ts';
import { QUERY, type Space, type Spaces } from './spaces.ts';
import type { MarkedRows, VectorTable } from './vector-table.ts';
import type { ScoredTable, WeightedQuery } from './weighted-top.ts';

export interface ServedGraph {
  readonly name: string;
  readonly relations: readonly Relation[];
  readonly spaces: Spaces;
  readonly activity: Activity;
  /** From which time of the log on all events are known, epoch ms; 0 where the log still has the first ones. */
  eventsSince(): number;
  /** Since when the log can't be read, epoch ms; undefined while it can. */
  staleSince(): number | undefined;
  /** Why nobody should ask the graph now, a phrase each; none once it is read. */
  unready(): readonly string[];
}

/** A point, such as an entity's vector, moved by a relation; its weight is the relation's share of edges. */
export interface RelationQuery extends WeightedQuery {
  readonly of: RelationVector;
}

const SECOND_MS = 1_000;
const NO_ROWS: MarkedRows = { marks: new Uint8Array(0), count: 0 };

/**
 * The rows of a table that nothing named for so long: none where idleMs is undefined. Time ends with the newest event, or now
 * where a clock is ahead: a stream that stands still leaves nothing out. Entities of which no event is known are among
 * them only where the events reach back that far.
 */
export function idleRows(
  graph: ServedGraph,
  table: VectorTable | undefined,
  idleMs: number | undefined,
): MarkedRows {
  if (table === undefined || idleMs === undefined) return NO_ROWS;
  const { activity } = graph;
  // Whole seconds: so long, the marks that are made serve all who ask.
  const before = SECOND_MS * Math.floor((Math.min(activity.at, activity.now) - idleMs) / SECOND_MS);
  return table.idleRows(before, graph.eventsSince() <= before);
}

/** A point moved by each relation that is trained. edgesOf: what the relations are weighed by; alike where all are 0. */
export function movedBy(
  space: Space,
  point: Iterable<number>,
  relations: readonly string[],
  edgesOf: (relation: string) => number,
): RelationQuery[] {
  const trained = relations.flatMap((relation) => {
    const of = trainedRelation(space, relation);
    return of === undefined ? [] : [{ of, edges: edgesOf(relation) }];
  });
  const total = trained.reduce((sum, { edges }) => sum + edges, 0);
  return trained.flatMap(({ of, edges }) => {
    const weight = total > 0 ? edges / total : 1 / trained.length;
    if (weight === 0) return [];
    return [{ vector: Float64Array.from(point, (value, k) => value + of.vector[k]!), weight, of }];
  });
}

/** The vector of a relation, if some edge has trained it. */
export function trainedRelation(space: Space, relation: string, inverse = false): RelationVector | undefined {
  const of = space.relations.get(relationKey({ relation, inverse }));
  return of?.trained === true ? of : undefined;
}

/** The graphs, or the one of that name. @throws UsageError when there is none. */
export function namedGraphs<Graph extends Pick<ServedGraph, 'name'>>(
  graphs: readonly Graph[],
  name: string | undefined,
): readonly Graph[] {
  if (name === undefined) return graphs;
  const found = graphs.filter((graph) => graph.name === name);
  if (found.length > 0) return found;
  throw wrongQuestion(
    'graph',
    `expected one of ${graphs.map((graph) => graph.name).join(', ')}, seen ${JSON.stringify(name)}`,
  );
}

/** @throws RetryableError `not-read` for the first graph that is not read. */
export function refuseUnread(...graphs: readonly ServedGraph[]): void {
  for (const graph of graphs) {
    const reasons = graph.unready();
    if (reasons.length > 0) throw new RetryableError('not-read', `not ready: ${reasons.join('; ')}`);
  }
}

export function typesOf(graphs: readonly Pick<ServedGraph, 'relations'>[]): string[] {
  return [...new Set(graphs.flatMap(({ relations }) => relations.flatMap(({ lhs, rhs }) => [lhs, rhs])))];
}

/** The entity that a client names; the id of a query is normalised as in events. @throws UsageError when it is not `TYPE:ID`. */
export function readEntity(text: string): EntityKey {
  const start = `${QUERY}:`;
  return parseEntityKey(
    text.startsWith(start) ? `${start}${normalizeQuery(text.slice(start.length))}` : text,
  );
}

export function scoredTable(
  table: VectorTable,
  { scorer, beta }: Pick<ScoredTable, 'scorer' | 'beta'>,
): ScoredTable {
  return { table: table.scan, scorer, beta, nameOf: (row) => table.nameOf(row) };
}

/** What an answer says of the vectors that it is made of. */
export function about(
  { name, activity, staleSince }: ServedGraph,
  space: Space | undefined,
): Omit<AnswerHead, 'fallback'> {
  return {
    graph: name,
    space: space?.space ?? '',
    step: space?.step ?? 0,
    asOf: Math.max(space?.at ?? 0, activity.at),
    staleSince: staleSince() ?? null,
  };
}

/** The error of a question that can't be answered as it is asked. field: the wrong one. */
export function wrongQuestion(field: string, reason: string): UsageError {
  return new UsageError(`${field}: ${reason}`, { field });
}
