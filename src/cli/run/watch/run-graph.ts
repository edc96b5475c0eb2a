import type { GraphConfig } from '../../../config/resolve.ts';
import type { StoreMemory } from '../../../graph/store.ts';
import type { Updater } from '../../../pipeline/updater.ts';

/** A graph that is run. Its updater, and with a promotion its model, can be another from one look to the next. */
export interface RunGraph {
  readonly graph: GraphConfig;
  readonly updater: Updater;
  /** What its store has in memory; undefined once it is closed. */
  storeMemory(): Promise<StoreMemory | undefined>;
}
