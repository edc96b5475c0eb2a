import type { GraphStatus, Status } from '../adapters/http/status.ts';

/** The part of a graph's state that the headline depends on. */
export interface Condition
  extends Pick<
    GraphStatus,
    | 'graph'
    | 'phase'
    | 'ready'
    | 'reasons'
    | 'lag'
    | 'latencyMs'
    | 'outbox'
    | 'oldest'
    | 'known'
    | 'committedAt'
  > {
  readonly events: { readonly consumed: number };
  readonly disk: { readonly free: number; readonly size: number } | undefined;
  /** How long the graph has not been ready; 0 when it is ready. */
  readonly unreadyMs: number;
  /** Rejected share of the events of the last minutes. */
  readonly rejectedShare: number;
  /** Epoch ms. */
  readonly now: number;
}

/** The part of a router's state that the headline depends on. */
export type RouterCondition = Pick<Condition, 'graph' | 'ready' | 'reasons' | 'unreadyMs' | 'rejectedShare'>;

type Headline = Status['headline'];

/** The reason of `readinessOf` that a partition is not read to its end yet. */
const BEHIND = / is \S+ s behind \(/;
const OUTBOX_MS = 10_000;
/** A graph is idle when its last commit is older and nothing waits. Its latency is then of the past. */
const IDLE_MS = 10_000;
const LAG_S = 10;
/** A normal start is shorter. */
const START_MS = 60_000;
const REJECTED = 0.02;
/** Ranked edges, weighted by age, below which the quality is not meaningful. */
const ENOUGH_EDGES = 50;
/** A disk is nearly full below a hundredth of its size, or below this many bytes and a tenth of its size. */
const FREE_BYTES = 1024 ** 3;

/** The line at the top of the page: the worst problem of all graphs and of the routing to their shards, or that all is well. */
export function headline(graphs: readonly Condition[], routers: readonly RouterCondition[] = []): Headline {
  if (graphs.length === 0) return { level: 'warn', text: 'Starting: no graph is open yet' };
  const lines = [...graphs.map(ofGraph), ...routers.map(ofRouter)];
  for (const level of ['bad', 'warn'] as const) {
    const found = lines.find((line) => line.level === level);
    if (found) return found;
  }
  return { level: 'ok', text: `Healthy: ${workOf(graphs)}` };
}

/** What healthy graphs do. The slowest graph counts, without the idle ones. */
function workOf(graphs: readonly Condition[]): string {
  const isIdle = (graph: Condition) =>
    recordsOf(graph) + graph.outbox === 0 && graph.now - (graph.committedAt ?? 0) >= IDLE_MS;
  const busy = graphs.filter((graph) => !isIdle(graph));
  const slowest = Math.max(...busy.map(({ latencyMs }) => latencyMs.p50 ?? -1));
  if (slowest >= 0) return `vectors are ${span(slowest)} behind`;
  // Vectors that a take-over publishes come from no record, so they have no latency.
  const vectors = graphs.reduce((sum, { outbox }) => sum + outbox, 0);
  if (vectors > 0) return `vectors that wait to be published: ${count(vectors)}`;
  const records = graphs.reduce((sum, each) => sum + recordsOf(each), 0);
  if (records > 0) return `events that wait to be learned: ${count(records)}`;
  if (graphs.every(({ events }) => events.consumed === 0)) return 'waiting for the first event';
  const idleMs = Math.min(...graphs.map(({ now, committedAt = 0 }) => now - committedAt));
  const isKnown = graphs.some(({ committedAt }) => committedAt !== undefined);
  return isKnown ? `up to date, idle for ${span(idleMs).replace(/\.\d/, '')}` : 'up to date';
}

function recordsOf({ lag }: Condition): number {
  return lag.reduce((sum, each) => sum + each.records, 0);
}

function ofGraph(condition: Condition): Headline {
  const { graph, phase, reasons, lag, outbox, oldest, rejectedShare, known, disk, now } = condition;
  const behindS = Math.max(0, ...lag.map(({ seconds }) => seconds ?? 0));
  const waitedMs = now - (oldest ?? now);
  const say = (level: Headline['level'], text: string, step?: string): Headline => ({
    level,
    text: `${graph}: ${text}`,
    ...(step !== undefined && { step }),
  });
  if (phase === 'standby') return say('ok', 'standing by');
  const catchingUp = `catching up: ${count(recordsOf(condition))} records, ${span(behindS * 1000)} behind`;
  // Expected of a first reading and after a stop; that it does not end is an alert's business.
  if (!condition.ready && phase === 'running' && reasons.every((reason) => BEHIND.test(reason)))
    return say('warn', catchingUp, 'not-ready');
  if (!condition.ready) {
    const starting = phase !== 'running' && phase !== 'failed' && condition.unreadyMs < START_MS;
    const since = condition.unreadyMs < START_MS ? '' : ` for ${span(condition.unreadyMs)}`;
    return say(starting ? 'warn' : 'bad', `not ready${since}: ${reasons.join('; ')}`, 'not-ready');
  }
  if (disk && disk.free < Math.max(disk.size / 100, Math.min(disk.size / 10, FREE_BYTES))) {
    return say(
      'bad',
      `the disk has ${count(disk.free / 1024 ** 2)} MiB left`,
      'store-write-the-store-in--cant-be-written',
    );
  }
  if (outbox > 0 && waitedMs > OUTBOX_MS) {
    return say(
      'warn',
      `vectors have waited ${span(waitedMs)} for their acknowledgement`,
      'vectors-could-not-be-published-trying-again',
    );
  }
  if (behindS > LAG_S) return say('warn', catchingUp);
  if (rejectedShare > REJECTED) return say('warn', rejectedIn(rejectedShare));
  if (known && known.count >= ENOUGH_EDGES && known.mrr < known.popularityMrr) {
    return say(
      'warn',
      `known entities are ranked no better than by popularity (MRR ${known.mrr.toFixed(3)})`,
    );
  }
  return say('ok', 'healthy');
}

function ofRouter({ graph, ready, reasons, unreadyMs, rejectedShare }: RouterCondition): Headline {
  if (!ready) {
    const starting = unreadyMs < START_MS;
    const since = starting ? '' : ` for ${span(unreadyMs)}`;
    return {
      level: starting ? 'warn' : 'bad',
      text: `${graph}: this process routes nothing to the shards${since}: ${reasons.join('; ')}`,
      step: 'twhinrouternotdelivering',
    };
  }
  if (rejectedShare > REJECTED) return { level: 'warn', text: `${graph}: ${rejectedIn(rejectedShare)}` };
  return { level: 'ok', text: `${graph}: healthy` };
}

function rejectedIn(share: number): string {
  return `${(100 * share).toFixed(0)} % of recent events are rejected: see the dead letters`;
}

function count(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}

/** 850 as 0.9 s, 90,000 as 1.5 min. */
function span(ms: number): string {
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`;
  if (ms < 3_600_000) return `${(ms / 60_000).toFixed(1)} min`;
  return `${(ms / 3_600_000).toFixed(1)} h`;
}
