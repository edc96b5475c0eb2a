import type { Progress } from '../src/pipeline/progress.ts';
import type { GraphProgress } from './view.ts';

/** What an updater says of itself, as the demo shows it. eventsPerS: taken by whoever saw the last one. */
export function graphProgress(progress: Progress, eventsPerS: number | undefined): GraphProgress {
  return {
    graph: progress.graph,
    eventsPerS,
    edges: total(progress.edges),
    entities: total(progress.entities),
    loss: progress.loss,
    mrr: progress.known?.mrr,
    mrrPopularity: progress.known?.popularityMrr,
    mrrChance: progress.known?.randomMrr,
    published: progress.published,
    outbox: progress.outbox,
    p50Ms: progress.latencyMs.p50,
    p99Ms: progress.latencyMs.p99,
  };
}

/** Records a second, over a sliding second or so. */
export class Rate {
  readonly #points: { ms: number; count: number }[] = [];

  /** The rate up to now; undefined before there are two points. */
  at(ms: number, count: number): number | undefined {
    this.#points.push({ ms, count });
    while (this.#points.length > 2 && ms - (this.#points[1]?.ms ?? ms) >= 1000) this.#points.shift();
    const first = this.#points[0];
    return first === undefined || ms === first.ms
      ? undefined
      : ((count - first.count) * 1000) / (ms - first.ms);
  }
}

function total(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((sum, value) => sum + value, 0);
}
