import type { GraphStatus, Readiness, RouterStatus } from '../adapters/http/status.ts';
import type { GraphConfig } from '../config/resolve.ts';
import { fingerprint } from '../graph/head.ts';
import type { StoreMemory } from '../graph/store.ts';
import { workspaceBytes } from '../kernels/workspace.ts';
import type { WatchedRouter } from '../metrics/families.ts';
import type { Disk, WatchedGraph } from '../metrics/graph.ts';
import { tableBytes } from '../model/table.ts';
import { REJECTIONS } from '../pipeline/reading/record-content.ts';
import { tableOptions } from '../pipeline/training/trainer.ts';
import type { Updater } from '../pipeline/updater.ts';

/** A running graph. A promotion replaces the updater and can change the model. */
export interface RunGraph {
  readonly graph: GraphConfig;
  readonly updater: Pick<Updater, 'progress' | 'lag' | 'unready' | 'sample'>;
  /** Memory of the store; undefined once the store is closed. */
  storeMemory(): Promise<StoreMemory | undefined>;
}

export function watched(run: RunGraph): WatchedGraph {
  const { graph } = run;
  return {
    name: graph.name,
    kernel: graph.trainer.kernel,
    fingerprint: fingerprint(graph.model),
    maxRows: graph.trainer.maxRows,
    rejections: REJECTIONS,
    folder: graph.folder,
    progress: () => run.updater.progress(),
    lag: () => run.updater.lag(),
    tableBytes: (rows) => tableBytes(tableOptions(graph.trainer, { workspaceBytes }), rows),
    storeMemory: () => run.storeMemory(),
    unready: () => run.updater.unready(),
  };
}

/** The state of a graph, for /api/status. */
export function statusOf(
  readiness: Readiness,
  { graph, updater }: RunGraph,
  disk: Disk | undefined,
): GraphStatus {
  // The contents of rejected records are shown to those alone who ask for them.
  const { rejected: _, ...progress } = updater.progress();
  return {
    ...progress,
    ...readiness,
    kernel: graph.trainer.kernel,
    fingerprint: fingerprint(graph.model),
    maxRows: graph.trainer.maxRows,
    lag: updater.lag(),
    disk,
  };
}

/** The state of a router, for /api/status. */
export function routerStatusOf(router: WatchedRouter): RouterStatus {
  const { graph, counts, partitions, retries } = router;
  const reasons = router.unready();
  return {
    graph,
    ready: reasons.length === 0,
    phase: partitions === undefined ? 'joining' : 'routing',
    reasons,
    partitions,
    events: counts.records,
    rejectedBy: router.rejections.byTopic(),
    sent: counts.sent,
    sentBytes: counts.bytes,
    retries,
    lag: router.lag().map(({ topic, partition, records }) => ({ topic, partition, records })),
  };
}
