import { Counter, Gauge, Registry } from 'prom-client';
import type { Measures } from '../pipeline/measures.ts';
import { FAMILIES, type Family, READY } from './families.ts';
import { type GraphSnapshot, snapshotOf, type WatchedGraph } from './graph.ts';
import { durations } from './histograms.ts';
import { type ProcessMetrics, processMetrics } from './process.ts';
import { routerMetrics, type WatchedRouter } from './router.ts';

export interface MetricsOptions {
  readonly version: string;
  /** Names of all graphs of the run. A graph that is not open yet is not ready. */
  readonly names: readonly string[];
  /** The open graphs. A promotion replaces a graph's updater between two scrapes. */
  graphs(): readonly WatchedGraph[];
  /** The routers of this process. */
  routers(): readonly WatchedRouter[];
  clock(): number;
}

/** All metrics of the process, in a registry of this object. */
export class Metrics {
  readonly #options: MetricsOptions;
  readonly #registry = new Registry();
  readonly #durations: { of(graph: string): Measures };
  readonly #process: ProcessMetrics;
  #rendering: Promise<string> | undefined;

  constructor(options: MetricsOptions) {
    this.#options = options;
    this.#durations = durations(this.#registry);
    this.#process = processMetrics(this.#registry, options.version);
    for (const family of FAMILIES) make(family, this.#registry);
    routerMetrics(this.#registry, () => options.routers());
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  /** The measures for a graph's updater. */
  measuresOf(graph: string): Measures {
    return this.#durations.of(graph);
  }

  /** Prometheus text of this moment. Simultaneous scrapes share one answer. */
  render(): Promise<string> {
    this.#rendering ??= this.#render().finally(() => {
      this.#rendering = undefined;
    });
    return this.#rendering;
  }

  stop(): void {
    this.#process.stop();
  }

  async #render(): Promise<string> {
    const { graphs, clock } = this.#options;
    const snapshots = await Promise.all(graphs().map((graph) => snapshotOf(graph, clock)));
    const loaded = snapshots.filter(({ progress }) => progress.writer !== undefined);
    for (const family of FAMILIES) this.#fill(family, family.always ? snapshots : loaded);
    for (const name of this.#options.names) {
      if (!snapshots.some(({ graph }) => graph.name === name)) this.#ready?.set({ graph: name }, 0);
    }
    return this.#registry.metrics();
  }

  get #ready(): Gauge | undefined {
    const metric = this.#registry.getSingleMetric(READY);
    return metric instanceof Gauge ? metric : undefined;
  }

  #fill(family: Family, snapshots: readonly GraphSnapshot[]): void {
    const metric = this.#registry.getSingleMetric(family.name);
    if (!(metric instanceof Gauge || metric instanceof Counter)) return;
    metric.reset();
    for (const snapshot of snapshots) {
      for (const [labels, value] of family.samples(snapshot)) {
        if (value === undefined) continue;
        const all = { graph: snapshot.graph.name, ...labels };
        if (metric instanceof Gauge) metric.set(all, value);
        else metric.inc(all, value);
      }
    }
  }
}

function make({ name, help, kind, labels }: Family, registry: Registry): void {
  const options = { name, help, labelNames: ['graph', ...labels], registers: [registry] };
  if (kind === 'counter') new Counter(options);
  else new Gauge(options);
}
