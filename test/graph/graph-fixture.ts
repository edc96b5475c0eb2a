import type { EdgeChange, EdgeName } from '../../src/graph/edge.ts';
import { type EntityKey, entityKey } from '../../src/graph/entity.ts';
import { EntityIndex, packEntities, unpacked } from '../../src/graph/entity-index.ts';
import { type Commit, type EntityRecord, GraphStore } from '../../src/graph/graph-store.ts';
import type { Head } from '../../src/graph/head.ts';
import { Layout } from '../../src/graph/layout.ts';
import type { OutboxPart } from '../../src/graph/outbox.ts';
import { MemoryStore } from './memory-store.ts';

export const MODEL = {
  dim: 2,
  scorer: 'transe-l2',
  entityTypes: ['user', 'tweet'],
  relations: [
    { name: 'follows', lhs: 'user', rhs: 'user' },
    { name: 'likes', lhs: 'user', rhs: 'tweet' },
  ],
};
/** Rows 0 … 3 belong to the relations. */
export const FIRST_ROW = 4;

export const user = (id: string): EntityKey => entityKey('user', id);
export const tweet = (id: string): EntityKey => entityKey('tweet', id);

export const HEAD: Head = {
  format: 2,
  graph: 'test',
  model: MODEL,
  step: 7,
  random: [1, 2, 3],
  rows: 10,
  offsets: { 'twhin.follow': { '0': 12, '3': 5 } },
  events: { consumed: 17, rejected: 1, duplicate: 2, late: 3 },
  edges: { follows: 1 },
  entities: { user: 2 },
  outbox: 1,
  outboxParts: 0,
  freed: [],
  watermark: 1_700_000_000_000,
  epoch: 0,
  space: '',
  stepBase: 0,
  topicIds: {},
};

export const part = (number: number, ...names: EntityKey[]): OutboxPart => ({ number, names });

export function graph(): GraphStore {
  return new GraphStore(new MemoryStore(), new Layout(MODEL));
}

export function entity(key: EntityKey, row: number, rest: Partial<EntityRecord> = {}): EntityRecord {
  return { key, row, updates: 0, firstSeen: 1000, lastSeen: 1000, ...rest };
}

/** A commit of only what is given. vectors: vector, accumulator and drift by row. */
export function commitOf(
  parts: Partial<Omit<Commit, 'rows' | 'floats' | 'edges'>> & {
    edges?: readonly EdgeChange[];
    erasedEdges?: readonly EdgeName[];
    vectors?: Record<number, readonly number[]>;
  },
): Commit {
  const { edges = [], erasedEdges = [], vectors, ...rest } = parts;
  const layout = new Layout(rest.head?.model ?? MODEL);
  const rows = Object.keys(vectors ?? {}).map(Number);
  return {
    head: HEAD,
    edges: [
      ...erasedEdges.map((edge) => [layout.edgeId(edge), null] as const),
      ...edges.map((edge) => [layout.edgeId(edge), edge] as const),
    ],
    ...rest,
    rows: Int32Array.from(rows),
    floats: Float32Array.from(rows.flatMap((row) => vectors?.[row] ?? [])),
  };
}

/** What the index has of an entity; undefined where no entity has the row. */
export function recordOf(index: EntityIndex, row: number): EntityRecord | undefined {
  const [found] = unpacked(packEntities(index, [row]));
  return found && { key: index.keyOf(found[0]), ...found[1] };
}

/** An index with these entities, restored as from a store. */
export function indexOf(nextRow: number, records: readonly EntityRecord[] = []): EntityIndex {
  const index = new EntityIndex(nextRow, MODEL.entityTypes);
  for (const record of records) {
    const key = new Layout(MODEL).entityKey(record.key);
    index.restore(key, 1, key.length, record);
  }
  return index;
}
