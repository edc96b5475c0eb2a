import type { GraphStatus, Readiness } from '../../../adapters/http/status.ts';
import type { Condition } from '../../../dashboard/headline.ts';
import { fingerprint } from '../../../graph/head.ts';
import { workspaceBytes } from '../../../kernels/workspace.ts';
import type { Disk } from '../../../metrics/disk.ts';
import type { WatchedGraph } from '../../../metrics/graph.ts';
import { tableBytes } from '../../../model/table.ts';
import type { Progress } from '../../../pipeline/progress.ts';
import { REJECTIONS } from '../../../pipeline/reading/record-content.ts';
import type { Quality } from '../../../pipeline/training/summary.ts';
import { tableOptions } from '../../../pipeline/training/train.ts';
import type { RunGraph } from './run-graph.ts';

/** Ranked edges, faded, below which quality says nothing. */
const ENOUGH_EDGES = 50;

/** A graph that is run, as its metrics see it. */
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

export interface Beside {
  readonly disk: Disk | undefined;
  readonly starts: readonly number[];
  readonly now: number;
}

/** Where a graph stands, as the dashboard has it. */
export function statusOf(readiness: Readiness, run: RunGraph, { disk, starts, now }: Beside): GraphStatus {
  const graph = watched(run);
  const progress = run.updater.progress();
  const { events, rejectedBy, entities, edges, step, published, retries, latencyMs, commits } = progress;
  return {
    ...readiness,
    ...{ kernel: graph.kernel, fingerprint: graph.fingerprint, ...progress.writer },
    ...{
      events,
      rejectedBy: { ...rejectedBy },
      entities,
      edges,
      step,
      published,
      retries,
      latencyMs,
      commits,
    },
    lag: run.updater.lag().map((lag) => ({ ...lag })),
    rows: {
      used: progress.rows - progress.freeRows,
      free: Math.max(0, graph.maxRows - progress.rows + progress.freeRows),
    },
    loss: progress.lossByRelation,
    quality: { known: progress.knownByRelation, new: progress.freshByRelation },
    moved: progress.moved,
    outbox: { vectors: progress.outbox, oldestAgeMs: ageOf(progress, now) },
    committedAt: progress.committedAt,
    disk,
    starts: [...starts],
  };
}

/** The same in what the words at the top of the page need. known: quality of known entities. */
export function conditionOf(
  status: GraphStatus,
  { known, ...beside }: { known: Quality | undefined; rejectedShare: number; unreadyMs: number },
): Condition {
  const { graph, phase, ready, reasons, lag, latencyMs, outbox, disk } = status;
  return {
    ...{ graph, phase, ready, reasons, ...beside },
    lag: { records: total(lag), seconds: Math.max(0, ...lag.map(({ seconds }) => seconds ?? 0)) },
    latencyMs: latencyMs.p50,
    outbox: outbox.vectors,
    outboxAgeMs: outbox.oldestAgeMs,
    quality: known && known.count >= ENOUGH_EDGES ? known : undefined,
    disk,
  };
}

export function ageOf({ oldest }: Progress, now: number): number {
  return oldest === undefined ? 0 : Math.max(0, now - oldest);
}

export function total(lag: readonly { readonly records: number }[]): number {
  return lag.reduce((sum, { records }) => sum + records, 0);
}
