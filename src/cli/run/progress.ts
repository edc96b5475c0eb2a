import type { Log } from '../../log.ts';
import type { Progress } from '../../pipeline/progress.ts';
import type { Quality } from '../../pipeline/training/summary.ts';
import { count, total } from '../format.ts';
import type { Output } from '../output.ts';
import type { GraphRun } from './graph-run.ts';

const LOG_PROGRESS_MS = 10_000;
const SHOW_PROGRESS_MS = 1_000;

/** Shows the progress of the runs on a terminal, logs it every ten seconds, and logs when readiness changes. */
export function reportProgress(runs: readonly GraphRun[], log: Log, output: Output): { stop(): void } {
  let before = new Map<string, Progress>();
  const readiness = runs.map((run) => readinessOf(run, log));
  const show = setInterval(() => {
    const now = runs.map(({ updater }) => updater.progress());
    output.status(
      now.map((each) => describeProgress(each, before.get(each.graph), SHOW_PROGRESS_MS)).join(' | '),
    );
    before = new Map(now.map((each) => [each.graph, each]));
    for (const look of readiness) void look();
  }, SHOW_PROGRESS_MS);
  const write = setInterval(() => {
    for (const { updater } of runs) log.info(progressFields(updater.progress()), 'progress');
  }, LOG_PROGRESS_MS);
  return {
    stop: () => {
      clearInterval(show);
      clearInterval(write);
      output.status('');
    },
  };
}

/** Gives what logs a change of readiness since its last call; one look at a time. */
function readinessOf(run: GraphRun, log: Log): () => Promise<void> {
  let last: string | undefined;
  let looking = false;
  return async () => {
    if (looking) return;
    looking = true;
    const reasons = await run.updater.unready();
    looking = false;
    const now = reasons.map((reason) => reason.replaceAll(/\d+/g, '#')).join('; ');
    if (now === last) return;
    last = now;
    const { graph, phase } = run.updater.progress();
    if (reasons.length === 0) log.info({ graph }, 'ready');
    // A start is no reason for a warning.
    else log[phase === 'running' ? 'warn' : 'info']({ graph, reasons }, 'not ready');
  };
}

/** Progress of a graph in a few words, for a terminal. intervalMs: time since `before`. */
function describeProgress(now: Progress, before: Progress | undefined, intervalMs: number): string {
  const rate = before ? ((now.events.consumed - before.events.consumed) * 1000) / intervalMs : 0;
  const parts = [
    `${now.graph}: ${now.phase}`,
    `${count(rate)} events/s`,
    `${count(total(now.entities))} entities`,
    `${count(total(now.edges))} edges`,
    ...(now.loss === undefined ? [] : [`loss ${now.loss.toFixed(3)}`]),
    ...(now.known === undefined ? [] : [`MRR ${now.known.mrr.toFixed(3)}`]),
    `${count(now.published)} published`,
  ];
  return parts.join(', ');
}

/** Progress of a graph as fields of a log line. */
export function progressFields(progress: Progress): object {
  const { graph, phase, step, published, outbox, latencyMs } = progress;
  const { peers: _, ...exchange } = progress.exchange ?? { peers: [] };
  return {
    graph,
    phase,
    ...progress.events,
    entities: total(progress.entities),
    edges: total(progress.edges),
    step,
    loss: rounded(progress.loss),
    known: figures(progress.known),
    fresh: figures(progress.fresh),
    published,
    outbox,
    latencyMs,
    queuedBytes: progress.queue.bytes,
    // What a shard and the others sent each other.
    ...(progress.exchange && { exchange }),
  };
}

function figures(quality: Quality | undefined): object | undefined {
  if (quality === undefined) return undefined;
  const { count: _, ...means } = quality;
  return Object.fromEntries(Object.entries(means).map(([name, mean]) => [name, rounded(mean)]));
}

function rounded(value: number | undefined): number | undefined {
  return value === undefined ? undefined : Number(value.toFixed(4));
}
