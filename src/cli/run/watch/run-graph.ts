import type { GraphConfig } from '../../../config/resolve.ts';
import type { Updater } from '../../../pipeline/updater.ts';

/** A graph that is run. Its updater, and with a promotion its model, can be another from one look to the next. */
export interface RunGraph {
  readonly graph: GraphConfig;
  readonly updater: Updater;
}
