import type { Checkpoint } from '../../graph/checkpoint.ts';
import { type EdgeChange, type EdgeName, judge, type Relation } from '../../graph/edge.ts';
import type { EntityKey } from '../../graph/entity.ts';
import type { EntityIndex } from '../../graph/entity-index.ts';
import type { GraphStore } from '../../graph/graph-store.ts';
import type { Head } from '../../graph/head.ts';
import type { EventLog, Offsets, PartitionRange, SourceRecord, Stretch } from '../../pipeline/ports.ts';
import { merging } from '../../replay/merge.ts';

/** One of the two compared stores of a graph. */
export interface ComparedStore {
  readonly store: GraphStore;
  readonly head: Head;
  /** The store's entities. */
  readonly index: EntityIndex;
  /** The store's vectors; undefined before the first. */
  readonly checkpoint: Checkpoint | undefined;
}

/** Two stores of one graph; their models may differ. */
export interface ComparedStores {
  readonly a: ComparedStore;
  readonly b: ComparedStore;
}

/** Called now and then with the number of things done. */
export type OnProgress = (what: string, done: number) => void;

/** Relations that are the same in both models, in A's order. */
export function commonRelations({ a, b }: ComparedStores): Relation[] {
  return a.head.model.relations.filter(({ name, lhs, rhs }) =>
    b.head.model.relations.some((other) => other.name === name && other.lhs === lhs && other.rhs === rhs),
  );
}

/** Whether an entity is trained in both stores and in their checkpoints. */
export function trainedInBoth({ a, b }: ComparedStores, key: EntityKey): boolean {
  return [a, b].every(({ index, checkpoint }) => {
    const state = index.stateBy(key);
    return state !== undefined && state.updates > 0 && state.row < (checkpoint?.rows ?? 0);
  });
}

/** The stretches of the log that neither store has read: each partition from the later offset to its end. */
export function heldStretches(ranges: readonly PartitionRange[], read: readonly Offsets[]): Stretch[] {
  return ranges.flatMap(({ topic, partition, low, high }) => {
    const from = Math.max(low, ...read.map((offsets) => offsets[topic]?.[partition] ?? low));
    return from < high ? [{ topic, partition, from, until: high }] : [];
  });
}

/** The first `limit` records of the stretches, in the order of a replay. read: adds the content to a record. */
export async function readHeldRecords(
  reader: EventLog,
  stretches: readonly Stretch[],
  limit: number,
  read: (record: SourceRecord) => SourceRecord,
): Promise<SourceRecord[]> {
  if (stretches.length === 0) return [];
  const reading = await reader.read(stretches);
  try {
    return (await merging(reading.cursors, read)(limit)).records;
  } finally {
    await reading.close();
  }
}

const PROGRESS_EVERY = 100;

/** Edges that test both stores fairly: new to both, of a common relation, both ends trained in both; each once, in the order of records. */
export async function readHeldEdges(
  stores: ComparedStores,
  records: readonly SourceRecord[],
  onProgress: OnProgress,
): Promise<EdgeName[]> {
  const relations = new Set(commonRelations(stores).map(({ name }) => name));
  const edges = new Map<string, EdgeName>();
  for (const [i, { content }] of records.entries()) {
    if (i % PROGRESS_EVERY === 0) onProgress('events held back', i);
    for (const change of content?.changes ?? []) {
      if ('erased' in change || change.removed || !relations.has(change.relation)) continue;
      const { lhs, relation, rhs } = change;
      const id = `${lhs}\n${relation}\n${rhs}`;
      if (edges.has(id)) continue;
      if (![lhs, rhs].every((end) => trainedInBoth(stores, end))) continue;
      if (await isNew(stores, change)) edges.set(id, { lhs, relation, rhs });
    }
  }
  return [...edges.values()];
}

/** Whether the edge is live in neither store and the change would make it live in both. */
async function isNew({ a, b }: ComparedStores, change: EdgeChange): Promise<boolean> {
  for (const { store } of [a, b]) {
    const [state] = await store.readEdges([store.layout.edgeId(change)]);
    const verdict = judge(state, change);
    if ((state && !state.removed) || (verdict !== 'new' && verdict !== 'newer')) return false;
  }
  return true;
}
