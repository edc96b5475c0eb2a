import type { EdgeChange, Erasure, Verdict } from '../../graph/edge.ts';
import type { Fetched, IngestState, Open } from './ingest-state.ts';
import { edgeId, type Overlay } from './overlay.ts';

/**
 * Takes an entity out: its edges up to `erasure.at` are forgotten, removals too, and so is its vector. Edges of newer
 * events stay, whichever arrived first; then the entity stays as well and its vector starts again.
 */
export function erase(state: IngestState, erasure: Erasure, fetched: Fetched, open: Open): Verdict {
  const { store, overlay, index, erasedAt, counters } = state;
  const { erased: key, at } = erasure;
  const name = store.erasedName(key);
  const known = erasedAt.get(name);
  if (known !== undefined && known >= at) return known === at ? 'duplicate' : 'late';
  erasedAt.set(name, at);
  open.commit.erasures.set(key, at);
  counters.watermark = Math.max(counters.watermark, at);

  let newerLive = 0;
  for (const [id, edge] of edgesNow(overlay, erasure, fetched)) {
    if (edge.at > at) {
      if (!edge.removed) newerLive++;
      continue;
    }
    overlay.set(id, edge, null);
    open.commit.eraseEdge(id, edge);
    if (edge.removed) continue;
    counters.edgeChanged(edge.relation, true, false);
    const lhs = index.find(edge.lhs);
    const rhs = index.find(edge.rhs);
    const relation = store.layout.relationIndex(edge.relation);
    if (lhs === undefined || rhs === undefined || relation === undefined) continue;
    open.batch.changed(lhs, relation, rhs, true, false);
  }

  const row = index.find(key);
  if (row === undefined) return 'new';
  if (newerLive > 0) {
    open.batch.reset(row);
    open.commit.touched.add(row);
    index.reset(row, at);
  } else {
    open.batch.drop(row);
    open.commit.touched.delete(row);
    open.commit.erasedEntities.set(row, key);
    index.remove(key);
  }
  return 'new';
}

/** Every edge of the entity as it stands: the store's, overlaid with what is not written yet. */
function edgesNow(overlay: Overlay, { erased }: Erasure, fetched: Fetched): Map<string, EdgeChange> {
  const edges = new Map((fetched.edgesOf.get(erased) ?? []).map((edge) => [edgeId(edge), edge]));
  for (const { id, edge, state } of overlay.of(erased)) {
    if (state === null) edges.delete(id);
    else edges.set(id, { ...edge, ...state });
  }
  return edges;
}
