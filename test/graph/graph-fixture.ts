import type { CheckpointBlock, NewCheckpoint } from '../../src/graph/checkpoint.ts';
import type { EdgeChange, EdgeName } from '../../src/graph/edge.ts';
import { type EntityKey, entityKey, typeOf } from '../../src/graph/entity.ts';
import { EntityIndex } from '../../src/graph/entity-index.ts';
import { type Commit, type EntityRecord, GraphStore } from '../../src/graph/graph-store.ts';
import type { Head, ModelIdentity } from '../../src/graph/head.ts';
import { Layout } from '../../src/graph/layout.ts';
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

/** As a regular stop leaves it: the checkpoint is of the last commit. */
export const HEAD: Head = {
  format: 6,
  graph: 'test',
  model: MODEL,
  step: 7,
  random: [1, 2, 3],
  rows: 10,
  positions: { 'twhin.follow': { '0': { offset: 12, epoch: 4 }, '3': { offset: 5 } } },
  events: { consumed: 17, rejected: 1, duplicate: 2, late: 3 },
  edges: { follows: 1 },
  entities: { user: 2 },
  commit: 1,
  checkpoint: 1,
  relations: 0,
  outbox: 1,
  freed: [],
  watermark: 1_700_000_000_000,
  epoch: 0,
  space: '',
  stepBase: 0,
  topicIds: {},
};

/** An empty store. Its checkpoint of the first commit has no row until {@link commitRows} writes some. */
export function graph(model: ModelIdentity = MODEL): GraphStore {
  const store = new MemoryStore();
  store.checkpoints.written.set(HEAD.checkpoint, { head: checkpointHead(HEAD), blocks: [] });
  return new GraphStore(store, new Layout(model));
}

export function entity(key: EntityKey, row: number, rest: Partial<EntityRecord> = {}): EntityRecord {
  return { key, row, updates: 0, firstSeen: 1000, lastSeen: 1000, ...rest };
}

interface CommitParts extends Partial<Omit<Commit, 'edges' | 'entities'>> {
  readonly edges?: readonly EdgeChange[];
  readonly erasedEdges?: readonly EdgeName[];
  readonly entities?: readonly EntityRecord[];
}

/** A commit of only what is given. */
export function commitOf(parts: CommitParts): Commit {
  const { edges = [], erasedEdges = [], ...rest } = parts;
  const layout = new Layout(rest.head?.model ?? MODEL);
  return {
    head: HEAD,
    ...rest,
    edges: [
      ...erasedEdges.map((edge) => [layout.edgeId(edge), null] as const),
      ...edges.map((edge) => [layout.edgeId(edge), edge] as const),
    ],
  };
}

/**
 * Writes rows as the checkpoint of the head's commit, then commits what is given. A later checkpoint needs a head with a
 * later commit. vectors: [dim + 2] vector, accumulator and drift by row. Rows left out are zeros and not trained.
 */
export async function commitRows(
  store: GraphStore,
  { vectors, ...parts }: CommitParts & { readonly vectors: Record<number, readonly number[]> },
): Promise<void> {
  const { head, ...rest } = commitOf(parts);
  const block = blockOf(store.layout, vectors, parts.entities);
  await store.checkpoints.write(checkpointHead(head), asyncOf(block));
  await store.commit({ ...rest, head: { ...head, checkpoint: head.commit } });
}

/** Rows from 0 to the last one of the vectors or the entities, in one block. */
export function blockOf(
  { dim, entityTypes }: Layout,
  vectors: Record<number, readonly number[]>,
  entities: readonly EntityRecord[] = [],
): CheckpointBlock {
  const width = dim + 2;
  const rows = 1 + Math.max(-1, ...Object.keys(vectors).map(Number), ...entities.map(({ row }) => row));
  const block = {
    types: new Uint8Array(rows).fill(255),
    trained: new Uint8Array(rows),
    floats: new Float32Array(rows * width),
  };
  for (const [row, floats] of Object.entries(vectors)) {
    block.floats.set(floats, Number(row) * width);
    block.trained[Number(row)] = 1;
  }
  for (const { key, row } of entities) block.types[row] = entityTypes.indexOf(typeOf(key));
  return block;
}

export const checkpointHead = ({ commit, step, random }: Head): NewCheckpoint => ({ commit, step, random });

export async function* asyncOf<T>(...items: T[]): AsyncIterable<T> {
  yield* items;
}

/** Every edge of a store, removed ones included, ordered by lhs, relation, rhs. */
export async function edgesIn({ entries, layout }: GraphStore): Promise<EdgeChange[]> {
  const edges: EdgeChange[] = [];
  for await (const { key, value } of entries.scan(layout.prefixes.edges))
    edges.push({ ...layout.edgeOf(key), ...layout.decodeEdge(value) });
  return edges;
}

/** What the index has of an entity; undefined where no entity has the row. */
export function recordOf(index: EntityIndex, row: number): EntityRecord | undefined {
  const key = index.keyAt(row);
  return key && { key, ...index.state(row) };
}

/** An index with these entities, restored as from a store. */
export function indexOf(nextRow: number, records: readonly EntityRecord[] = []): EntityIndex {
  const index = new EntityIndex(nextRow, MODEL.entityTypes);
  for (const record of records) index.put(record.key, record);
  return index;
}
