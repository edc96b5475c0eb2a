import type { GraphStatus, Readiness, RouterStatus } from '../../../adapters/http/status.ts';
import type { GraphConfig } from '../../../config/resolve.ts';
import type { Condition } from '../../../dashboard/headline.ts';
import { fingerprint } from '../../../graph/head.ts';
import type { StoreMemory } from '../../../graph/store.ts';
import { workspaceBytes } from '../../../kernels/workspace.ts';
import type { Disk, WatchedGraph } from '../../../metrics/graph.ts';
import type { WatchedRouter } from '../../../metrics/router.ts';
import { tableBytes } from '../../../model/table.ts';
import type { Progress } from '../../../pipeline/progress.ts';
import { REJECTIONS } from '../../../pipeline/reading/record-content.ts';
import type { RoutedCounts } from '../../../pipeline/routing/shard-log.ts';
import type { Quality } from '../../../pipeline/training/summary.ts';
import { tableOptions } from '../../../pipeline/training/trainer-size.ts';
import type { Updater } from '../../../pipeline/updater.ts';

/** Ranked edges, weighted by age, below which the quality is not meaningful. */
const ENOUGH_EDGES = 50;

/** What the watch asks of an updater. */
export type WatchedUpdater = Pick<Updater, 'progress' | 'lag' | 'unready' | 'sample'>;

/** A running graph. A promotion replaces the updater and can change the model. */
export interface RunGraph {
  readonly graph: GraphConfig;
  readonly updater: WatchedUpdater;
  /** Memory of the store; undefined once the store is closed. */
  storeMemory(): Promise<StoreMemory | undefined>;
  /** Of a shard. */
  readonly routed?: RoutedCounts | undefined;
}

/** A running graph as its metrics see it. */
export function watched(run: RunGraph): WatchedGraph {
  const { graph } = run;
  return {
    name: graph.name,
    kernel: graph.trainer.kernel,
    fingerprint: fingerprint(graph.model),
    maxRows: graph.trainer.maxRows,
    rejections: REJECTIONS,
    routed: run.routed,
    folder: graph.folder,
    progress: () => run.updater.progress(),
    lag: () => run.updater.lag(),
    tableBytes: (rows) => tableBytes(tableOptions(graph.trainer, { workspaceBytes }), rows),
    storeMemory: () => run.storeMemory(),
    unready: () => run.updater.unready(),
  };
}

/** The state of a graph as the dashboard shows it. */
export function statusOf(
  readiness: Readiness,
  run: RunGraph,
  {
    disk,
    starts,
    now,
  }: { readonly disk: Disk | undefined; readonly starts: readonly number[]; readonly now: number },
): GraphStatus {
  const { kernel, fingerprint: model, maxRows } = watched(run);
  const progress = run.updater.progress();
  return {
    ...readiness,
    kernel,
    fingerprint: model,
    ...progress.writer,
    events: progress.events,
    rejectedBy: progress.rejectedBy,
    lag: run.updater.lag().map((lag) => ({ ...lag })),
    entities: progress.entities,
    edges: progress.edges,
    rows: {
      used: progress.rows - progress.freeRows,
      free: Math.max(0, maxRows - progress.rows + progress.freeRows),
    },
    step: progress.step,
    loss: progress.lossByRelation,
    quality: { known: progress.knownByRelation, new: progress.freshByRelation },
    moved: progress.moved,
    published: progress.published,
    retries: progress.retries,
    outbox: {
      vectors: progress.outbox,
      oldestAgeMs: progress.oldest === undefined ? 0 : Math.max(0, now - progress.oldest),
    },
    latencyMs: progress.latencyMs,
    commits: progress.commits,
    committedAt: progress.committedAt,
    disk,
    exchange: exchangeOf(progress),
    starts: [...starts],
  };
}

function exchangeOf({ exchange }: Progress): GraphStatus['exchange'] {
  if (exchange === undefined) return undefined;
  return { ...exchange, peers: exchange.peers.map(({ shard, heardAt }) => ({ shard, heardAt })) };
}

/** The part of a graph's status that the headline of the page depends on. known: quality of known entities. */
export function conditionOf(
  status: GraphStatus,
  {
    known,
    rejectedShare,
    unreadyMs,
  }: { known: Quality | undefined; rejectedShare: number; unreadyMs: number },
): Condition {
  const { graph, phase, ready, reasons, lag, latencyMs, outbox, disk } = status;
  return {
    graph,
    phase,
    ready,
    reasons,
    unreadyMs,
    rejectedShare,
    lag: { records: recordsOf(lag), seconds: Math.max(0, ...lag.map(({ seconds }) => seconds ?? 0)) },
    latencyMs: latencyMs.p50,
    outbox: outbox.vectors,
    outboxAgeMs: outbox.oldestAgeMs,
    quality: known && known.count >= ENOUGH_EDGES ? known : undefined,
    disk,
  };
}

/** Records that wait in all partitions together. */
export function recordsOf(lag: readonly { readonly records: number }[]): number {
  return lag.reduce((sum, { records }) => sum + records, 0);
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
