/** How a graph is, as far as the words at the top of the page need to know. */
export interface Condition {
  readonly graph: string;
  readonly phase: string;
  readonly ready: boolean;
  readonly reasons: readonly string[];
  /** For how long it is not ready; 0 where it is. */
  readonly unreadyMs: number;
  readonly lag: { readonly records: number; readonly seconds: number | undefined };
  readonly latencyMs: number | undefined;
  readonly outbox: number;
  /** Of the oldest vector that waits. */
  readonly outboxAgeMs: number;
  /** Share of the events of the last minutes that were rejected. */
  readonly rejectedShare: number;
  /** Of known entities, and the line to beat; undefined where too few edges were ranked to say. */
  readonly quality: { readonly mrr: number; readonly popularityMrr: number } | undefined;
  /** In bytes. */
  readonly disk: { readonly free: number; readonly size: number } | undefined;
}

export interface Headline {
  readonly level: 'ok' | 'warn' | 'bad';
  readonly text: string;
  /** Section of docs/runbook.md. */
  readonly step?: string;
}

const OUTBOX_MS = 10_000;
const LAG_S = 10;
/** A start takes no longer, unless something is wrong. */
const START_MS = 60_000;
const REJECTED = 0.02;
/** A disk has too little left under a hundredth of it, and under a tenth where that is less than so many bytes. */
const FREE_BYTES = 1024 ** 3;

/** The one line that says whether the vectors can be trusted, the worst of all graphs first. */
export function headline(graphs: readonly Condition[]): Headline {
  if (graphs.length === 0) return { level: 'warn', text: 'Starting: no graph is open yet' };
  const lines = graphs.map(ofGraph);
  for (const level of ['bad', 'warn'] as const) {
    const found = lines.find((line) => line.level === level);
    if (found) return found;
  }
  const slowest = Math.max(...graphs.map(({ latencyMs }) => latencyMs ?? -1));
  if (slowest < 0) return { level: 'ok', text: 'Healthy: nothing was published yet, nothing waits' };
  return { level: 'ok', text: `Healthy: vectors are ${span(slowest)} behind` };
}

function ofGraph(condition: Condition): Headline {
  const { graph, phase, reasons, lag, outbox, outboxAgeMs, rejectedShare, quality, disk } = condition;
  const say = (level: Headline['level'], text: string, step?: string): Headline => ({
    ...{ level, text: `${graph}: ${text}` },
    ...(step !== undefined && { step }),
  });
  if (phase === 'standby') return say('ok', 'standing by');
  if (!condition.ready) {
    const starting = phase !== 'running' && phase !== 'failed' && condition.unreadyMs < START_MS;
    const since = condition.unreadyMs < START_MS ? '' : ` for ${span(condition.unreadyMs)}`;
    return say(starting ? 'warn' : 'bad', `not ready${since}: ${reasons.join('; ')}`, 'not-ready');
  }
  if (disk && disk.free < Math.max(disk.size / 100, Math.min(disk.size / 10, FREE_BYTES))) {
    return say(
      'bad',
      `the disk has ${Math.round(disk.free / 1024 ** 2)} MiB left`,
      'store-write-the-store-in--cant-be-written',
    );
  }
  if (outbox > 0 && outboxAgeMs > OUTBOX_MS) {
    return say(
      'warn',
      `vectors wait ${span(outboxAgeMs)} to be acknowledged`,
      'vectors-could-not-be-published-trying-again',
    );
  }
  if ((lag.seconds ?? 0) > LAG_S) {
    return say(
      'warn',
      `catching up: ${lag.records.toLocaleString('en-US')} records, ${span((lag.seconds ?? 0) * 1000)} behind`,
    );
  }
  if (rejectedShare > REJECTED) {
    return say(
      'warn',
      `${(100 * rejectedShare).toFixed(0)} % of recent events can't be used: see the dead letters`,
    );
  }
  if (quality && quality.mrr < quality.popularityMrr) {
    return say(
      'warn',
      `known entities are ranked no better than by popularity (MRR ${quality.mrr.toFixed(3)})`,
    );
  }
  return say('ok', 'healthy');
}

/** 850 as 0.9 s, 90,000 as 1.5 min. */
function span(ms: number): string {
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`;
  if (ms < 3_600_000) return `${(ms / 60_000).toFixed(1)} min`;
  return `${(ms / 3_600_000).toFixed(1)} h`;
}
