import type { EdgeChange, EdgeState } from '../../graph/edge.ts';
import type { EntityKey } from '../../graph/entity.ts';
import type { EntityIndex } from '../../graph/entity-index.ts';
import type { GraphStore } from '../../graph/graph-store.ts';
import type { Counters } from '../counters.ts';
import type { OpenBatch } from '../training/open-batch.ts';
import type { PendingCommit } from '../writing/pending-commit.ts';
import type { Overlay } from './overlay.ts';

/** The graph as records find it: what is stored, and over it what is applied and not written yet. */
export interface IngestState {
  readonly store: GraphStore;
  readonly overlay: Overlay;
  readonly index: EntityIndex;
  readonly counters: Counters;
  /** When each erased entity was erased, by the store's name for it. */
  readonly erasedAt: Map<string, number>;
}

/** Stored state fetched ahead for a run of records. */
export interface Fetched {
  readonly edges: ReadonlyMap<string, EdgeState | undefined>;
  /** Edges of entities that are to be erased. */
  readonly edgesOf: ReadonlyMap<EntityKey, readonly EdgeChange[]>;
}

/** What the open batch and commit are being filled with. */
export interface Open {
  readonly batch: OpenBatch;
  readonly commit: PendingCommit;
}
