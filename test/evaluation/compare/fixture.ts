import type { ComparedStore } from '../../../src/evaluation/compare/held-edges.ts';
import type { EdgeChange } from '../../../src/graph/edge.ts';
import type { EntityKey } from '../../../src/graph/entity.ts';
import type { Head, ModelIdentity } from '../../../src/graph/head.ts';
import type { SourceRecord } from '../../../src/pipeline/ports.ts';
import { readContent } from '../../../src/pipeline/reading/record-content.ts';
import { EVENT_TOPICS } from '../../../topics/index.ts';
import { DEFAULT_LIMITS } from '../../../topics/record.ts';
import { commitRows, entity, graph, HEAD, MODEL } from '../../graph/graph-fixture.ts';

const topics = new Map(EVENT_TOPICS.map((topic) => [`twhin.${topic.name}`, topic]));

/** Records as they are read of the topics of TwHIN. */
export const withContents = (records: readonly SourceRecord[]): SourceRecord[] =>
  records.map((each) => ({ ...each, content: readContent(each, topics, DEFAULT_LIMITS) }));

/** Parses `user:1 follows user:2@5`: removed if it begins with a minus; the time after `@` defaults to 1. */
export function edge(text: string): EdgeChange {
  const [, minus, lhs, relation, rhs, at] = /^(-?)(\S+) (\S+) ([^@]+)(?:@(\d+))?$/.exec(text) ?? [];
  return {
    lhs: lhs as EntityKey,
    relation: relation ?? '',
    rhs: rhs as EntityKey,
    at: Number(at ?? 1),
    removed: minus === '-',
  };
}

/**
 * A store made by hand. vectors: by entity, in the order of rows; the entities without updates are those
 * in `untrained`. relations: rows 2r and 2r + 1 of each relation.
 */
export async function storeOf(parts: {
  model?: ModelIdentity;
  head?: Partial<Head>;
  vectors?: Record<string, readonly number[]>;
  untrained?: readonly string[];
  relations?: Record<string, readonly [forward: readonly number[], reverse: readonly number[]]>;
  edges?: readonly string[];
}): Promise<ComparedStore> {
  const { model = MODEL, vectors = {}, untrained = [], relations = {}, edges = [] } = parts;
  const store = graph(model);
  const rows: Record<number, readonly number[]> = {};
  const stored = (vector: readonly number[]) => [...vector, 0.5, 0];
  for (const [relation, [forward, reverse]] of Object.entries(relations)) {
    const index = model.relations.findIndex((each) => each.name === relation);
    rows[2 * index] = stored(forward);
    rows[2 * index + 1] = stored(reverse);
  }
  const entities = Object.entries(vectors).map(([key, vector], i) => {
    const row = 2 * model.relations.length + i;
    rows[row] = stored(vector);
    return entity(key as EntityKey, row, { updates: untrained.includes(key) ? 0 : 3 });
  });
  const head = { ...HEAD, model, ...parts.head };
  await commitRows(store, { head, entities, vectors: rows, edges: edges.map(edge) });
  return { store, head, index: await store.index(), checkpoint: await store.checkpoint() };
}
