import { type EdgeChange, type EdgeName, judge } from '../../graph/edge.ts';
import type { EntityKey } from '../../graph/entity.ts';
import type { EventLog, Offsets, PartitionRange, SourceRecord, Stretch } from '../../pipeline/ports.ts';
import { Merge } from '../merge.ts';
import {
  type CommonEntity,
  type ComparedStores,
  commonRelations,
  type OnProgress,
} from './compared-stores.ts';

/** What neither of two stores has read: each partition from the later of their offsets to its end. */
export function heldStretches(ranges: readonly PartitionRange[], read: readonly Offsets[]): Stretch[] {
  return ranges.flatMap(({ topic, partition, low, high }) => {
    const from = Math.max(low, ...read.map((offsets) => offsets[topic]?.[partition] ?? low));
    return from < high ? [{ topic, partition, from, until: high }] : [];
  });
}

/** The first `limit` records of the stretches in the order of a replay. read: puts the content into a record. */
export async function readHeldRecords(
  reader: EventLog,
  stretches: readonly Stretch[],
  limit: number,
  read: (record: SourceRecord) => SourceRecord,
): Promise<SourceRecord[]> {
  if (stretches.length === 0) return [];
  const reading = await reader.read(stretches);
  try {
    return (await new Merge(reading.cursors, read).take(limit)).records;
  } finally {
    await reading.close();
  }
}

const PROGRESS_EVERY = 100;

/** An edge that neither store was trained on, between entities that both know. */
export interface HeldEdge extends EdgeName {
  readonly lhsEntity: CommonEntity;
  readonly rhsEntity: CommonEntity;
}

/** What records that neither store has read say, as a test of both. */
export interface HeldEdges {
  /** Records read. */
  readonly records: number;
  /** Each new edge once, in the order read. */
  readonly edges: readonly HeldEdge[];
}

/**
 * Gives the edges of records after both stores' offsets that are a fair test of both: new to both, of a relation both
 * have, both ends trained in both. Records without content, or that can't be used, are passed over.
 */
export async function readHeldEdges(
  stores: ComparedStores,
  records: readonly SourceRecord[],
  onProgress: OnProgress,
): Promise<HeldEdges> {
  const relations = new Set(commonRelations(stores).map(({ name }) => name));
  const known = new Map<EntityKey, CommonEntity | undefined>();
  const entity = async (key: EntityKey) => {
    if (!known.has(key)) known.set(key, await commonEntity(stores, key));
    return known.get(key);
  };
  const edges = new Map<string, HeldEdge>();
  for (const [i, { content }] of records.entries()) {
    if (i % PROGRESS_EVERY === 0) onProgress('events held back', i);
    for (const change of content?.changes ?? []) {
      if ('erased' in change || change.removed || !relations.has(change.relation)) continue;
      const { lhs, relation, rhs } = change;
      const id = `${lhs}\n${relation}\n${rhs}`;
      if (edges.has(id)) continue;
      const [lhsEntity, rhsEntity] = [await entity(lhs), await entity(rhs)];
      if (lhsEntity === undefined || rhsEntity === undefined || !(await isNew(stores, change))) continue;
      edges.set(id, { lhs, relation, rhs, lhsEntity, rhsEntity });
    }
  }
  return { records: records.length, edges: [...edges.values()] };
}

/** Its ends' types are common, for its relation is. */
async function commonEntity({ a, b }: ComparedStores, key: EntityKey): Promise<CommonEntity | undefined> {
  const [inA, inB] = [await a.store.entity(key), await b.store.entity(key)];
  if (inA === undefined || inB === undefined || inA.updates === 0 || inB.updates === 0) return undefined;
  return { key, rowA: inA.row, rowB: inB.row };
}

/** Whether the change would make the edge live in each of the stores, where it is not. */
async function isNew({ a, b }: ComparedStores, change: EdgeChange): Promise<boolean> {
  for (const { store } of [a, b]) {
    const [state] = await store.readEdges([change]);
    const verdict = judge(state, change);
    if ((state && !state.removed) || (verdict !== 'new' && verdict !== 'newer')) return false;
  }
  return true;
}
