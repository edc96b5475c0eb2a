import type { EntityIndex } from '../../graph/entity-index.ts';
import type { GraphStore } from '../../graph/graph-store.ts';
import { liveEdgeRows, type TrainsEdge } from '../../graph/live-edges.ts';
import type { Trainer } from '../training/trainer.ts';

const LOAD_EDGES = 65_536;

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
