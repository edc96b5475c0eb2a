import type { Progress } from '../pipeline/progress.ts';
import type { Quality } from '../pipeline/training/summary.ts';

/** One graph's progress in a few words, for a terminal. intervalMs: time since `before`. */
export function describeProgress(now: Progress, before: Progress | undefined, intervalMs: number): string {
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

/** The same as fields of a log line. */
export function progressFields(progress: Progress): object {
  return {
    graph: progress.graph,
    phase: progress.phase,
    ...progress.events,
    entities: total(progress.entities),
    edges: total(progress.edges),
    step: progress.step,
    loss: rounded(progress.loss),
    known: figures(progress.known),
    fresh: figures(progress.fresh),
    published: progress.published,
    outbox: progress.outbox,
    latencyMs: progress.latencyMs,
    queuedBytes: progress.queue.bytes,
  };
}

export function total(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((sum, each) => sum + each, 0);
}

/** 1234567 as 1,234,567. */
export function count(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}

function figures(quality: Quality | undefined): object | undefined {
  return (
    quality && {
      mrr: rounded(quality.mrr),
      hits10: rounded(quality.hits10),
      popularityMrr: rounded(quality.popularityMrr),
      randomMrr: rounded(quality.randomMrr),
    }
  );
}

function rounded(value: number | undefined): number | undefined {
  return value === undefined ? undefined : Number(value.toFixed(4));
}
