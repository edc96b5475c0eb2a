import type { EdgeChange, EdgeState, Erasure, Verdict } from '../../graph/edge.ts';
import type { EntityKey } from '../../graph/entity.ts';
import type { EntityIndex } from '../../graph/entity-index.ts';
import type { GraphStore } from '../../graph/graph-store.ts';
import type { Layout } from '../../graph/layout.ts';
import type { Counters } from '../counters.ts';
import type { Neighbours } from '../neighbours.ts';
import type { OpenBatch } from '../training/open-batch.ts';
import type { Unwritten } from './unwritten.ts';

/** The graph while records are applied: the store, and over it the commits that are not written yet. */
export interface KnownGraph {
  readonly store: GraphStore;
  readonly unwritten: Unwritten;
  readonly index: EntityIndex;
  readonly counters: Counters;
  /** Time of erasure of each erased entity, by the store's name for it. */
  readonly erasedAt: Map<string, number>;
  readonly neighbours: Neighbours;
}

/** What is known of the edges and entities that a run of records names. */
export interface Fetched {
  /** By `Layout.edgeId`: what the store has of the edges that are not unwritten. */
  readonly edges: ReadonlyMap<string, EdgeState | undefined>;
  /** Stored edges of entities that are to be erased. */
  readonly edgesOf: ReadonlyMap<EntityKey, readonly EdgeChange[]>;
}

/**
 * Erases an entity: its edges up to `erasure.at` are forgotten, removals too, and so is its vector. Edges of newer
 * events stay, whichever arrived first; then the entity stays as well and its vector starts again.
 */
export function erase(
  { store, unwritten, index, erasedAt, counters, neighbours }: KnownGraph,
  erasure: Erasure,
  fetched: Fetched,
  batch: OpenBatch,
): Verdict {
  const { erased: key, at } = erasure;
  const commit = unwritten.open;
  const name = store.erasedName(key);
  const known = erasedAt.get(name);
  if (known !== undefined && known >= at) return known === at ? 'duplicate' : 'late';
  erasedAt.set(name, at);
  commit.erasures.set(key, at);
  counters.watermark = Math.max(counters.watermark, at);

  let newerLive = 0;
  const stored = fetched.edgesOf.get(key) ?? [];
  for (const [id, edge] of edgesNow(unwritten, store.layout, key, stored)) {
    if (edge.at > at) {
      if (!edge.removed) newerLive++;
      continue;
    }
    commit.edges.set(id, null);
    if (edge.removed) continue;
    counters.edgeChanged(edge.relation, true, false);
    const place = neighbours.placeOf(edge);
    neighbours.edgeChanged(edge, place, true, false);
    const lhs = index.find(edge.lhs);
    const rhs = index.find(edge.rhs);
    const relation = store.layout.relationIndex(edge.relation);
    if (lhs === undefined || rhs === undefined || relation === undefined) continue;
    if (place.trainedBy !== undefined) continue;
    batch.changed(lhs, relation, rhs, true, false);
  }

  const row = index.find(key);
  if (row === undefined) return 'new';
  if (newerLive > 0) {
    batch.reset(row);
    neighbours.reset(row, key);
    commit.touched.add(row);
    index.reset(row, at);
  } else {
    batch.drop(row);
    neighbours.dropped(row, key);
    commit.touched.delete(row);
    commit.erasedEntities.add(key);
    index.remove(key);
  }
  return 'new';
}

/** Every edge of the entity in its present state: the stored edges, and over them the unwritten ones. */
function edgesNow(
  unwritten: Unwritten,
  layout: Layout,
  entity: EntityKey,
  stored: readonly EdgeChange[],
): Map<string, EdgeChange> {
  const edges = new Map(stored.map((edge) => [layout.edgeId(edge), edge]));
  for (const [id, state] of unwritten.of(entity, layout)) {
    if (state === null) edges.delete(id);
    else edges.set(id, { ...layout.edgeOf(layout.keyOf(id)), ...state });
  }
  return edges;
}
