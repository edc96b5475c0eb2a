import { total } from '../src/cli/format.ts';
import type { Progress } from '../src/pipeline/progress.ts';
import type { Updater } from '../src/pipeline/updater.ts';
import type { DemoPhase, DemoProgress, GraphProgress } from './view.ts';

/** Minimum time between the two counts of a rate. */
const RATE_MS = 1_000;

/** Turns the updaters' counts into rates. */
export class DemoMeter {
  readonly #total: number;
  readonly #start: number;
  #at = 0;
  #fed = 0;
  #fedPerS: number | undefined;
  #consumed = new Map<string, number>();
  #eventsPerS = new Map<string, number>();

  /** start: value of performance.now(). */
  constructor(total: number, start: number) {
    this.#total = total;
    this.#start = start;
  }

  progress(phase: DemoPhase, fed: number, updaters: readonly Updater[]): DemoProgress {
    const now = performance.now();
    const graphs = updaters.map((updater) => updater.progress());
    const elapsed = now - this.#at;
    if (elapsed >= RATE_MS) {
      this.#fedPerS = ((fed - this.#fed) * 1000) / elapsed;
      for (const { graph, events } of graphs) {
        this.#eventsPerS.set(graph, ((events.consumed - (this.#consumed.get(graph) ?? 0)) * 1000) / elapsed);
        this.#consumed.set(graph, events.consumed);
      }
      this.#fed = fed;
      this.#at = now;
    }
    return {
      phase,
      elapsedMs: now - this.#start,
      fed,
      total: this.#total,
      fedPerS: this.#fedPerS,
      graphs: graphs.map((each) => graphProgress(each, this.#eventsPerS.get(each.graph))),
    };
  }
}

function graphProgress(progress: Progress, eventsPerS: number | undefined): GraphProgress {
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
