import { EntityIndex } from '../../graph/entity-index.ts';
import type { GraphStore } from '../../graph/graph-store.ts';
import type { Head } from '../../graph/head.ts';
import { decodeEntity } from '../../graph/layout.ts';
import { liveEdgeRows, type TrainsEdge } from '../../graph/live-edges.ts';
import type { Trainer } from '../training/trainer.ts';

const LOAD_EDGES = 65_536;

/**
 * Every entity of a store, in memory. The checkpoint of a regular stop has them in a few arrays: RocksDB makes two buffers for
 * each, which takes several times as long.
 */
export async function loadEntities(store: GraphStore, head: Head): Promise<EntityIndex> {
  const { layout, entries } = store;
  const { entityTypes, relations } = layout;
  const { rows, freed, commit, checkpoint } = head;
  const index = new EntityIndex(rows, entityTypes, { firstRow: 2 * relations.length, freed });
  const packed = commit === checkpoint ? (await store.checkpoint())?.entities() : undefined;
  if (packed !== undefined) {
    for await (const part of packed) await index.restoreAll(part);
    return index;
  }
  for await (const run of entries.runs(layout.prefixes.entities)) {
    for (const { key, value } of run) {
      layout.checkEntityKey(key);
      index.restore(key, 1, key.length, decodeEntity(value));
    }
  }
  return index;
}

/** Hands the trainer the live edges that it trains. */
export async function loadEdges(
  store: GraphStore,
  trainer: Trainer,
  index: EntityIndex,
  trains: TrainsEdge,
): Promise<void> {
  for await (const edges of liveEdgeRows(store, index.names, LOAD_EDGES, trains))
    await trainer.loadEdges(edges);
}
