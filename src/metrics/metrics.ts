import { Counter, Gauge, Registry } from 'prom-client';
import type { Measures } from '../pipeline/measures.ts';
import { diskOf } from './disk.ts';
import { durations } from './durations.ts';
import { FAMILIES, READY } from './families.ts';
import type { Family } from './family.ts';
import type { GraphSnapshot, WatchedGraph } from './graph.ts';
import { Histograms } from './histograms.ts';
import { type ProcessMetrics, processMetrics, type ReloadResult } from './process.ts';

export interface MetricsOptions {
  readonly version: string;
  /** Of all graphs that are to be run: one that is not open yet is not ready. */
  readonly names: readonly string[];
  /** Those run now: a graph can have another updater from one scrape to the next. */
  graphs(): readonly WatchedGraph[];
  clock(): number;
}

/** A metric with all its samples. type: counter, gauge or histogram, whose buckets are samples too. */
export interface MetricValues {
  readonly name: string;
  readonly help: string;
  readonly type: string;
  readonly values: readonly {
    readonly labels: Readonly<Partial<Record<string, string | number>>>;
    readonly value: number;
  }[];
}

/** All metrics of the process, in a registry of their own. */
export class Metrics {
  readonly #options: MetricsOptions;
  readonly #registry = new Registry();
  readonly histograms = new Histograms(this.#registry);
  readonly #durations: { of(graph: string): Measures };
  readonly #process: ProcessMetrics;
  #rendering: Promise<string> | undefined;

  constructor(options: MetricsOptions) {
    this.#options = options;
    this.#durations = durations(this.#registry, this.histograms);
    this.#process = processMetrics(this.#registry, options.version, this.histograms);
    for (const family of FAMILIES) make(family, this.#registry);
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  /** What a graph's updater is to be given. */
  measuresOf(graph: string): Measures {
    return this.#durations.of(graph);
  }

  /** The configuration was read again. */
  reloaded(result: ReloadResult): void {
    this.#process.reloaded(result);
  }

  /** Prometheus text of now; scrapes that come together are answered together. */
  render(): Promise<string> {
    this.#rendering ??= this.#render().finally(() => {
      this.#rendering = undefined;
    });
    return this.#rendering;
  }

  /** What `render` gives, to be read by a program; scrapes that come together are answered together. */
  async values(): Promise<MetricValues[]> {
    await this.render();
    const all = await this.#registry.getMetricsAsJSON();
    return all.map(({ name, help, type, values }) => ({ name, help, type: `${type}`, values }));
  }

  stop(): void {
    this.#process.stop();
  }

  async #render(): Promise<string> {
    const snapshots = await Promise.all(this.#options.graphs().map((graph) => this.#snapshot(graph)));
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

  async #snapshot(graph: WatchedGraph): Promise<GraphSnapshot> {
    const [unready, disk, storeMemory] = await Promise.all([
      graph.unready(),
      diskOf(graph.folder),
      graph.storeMemory(),
    ]);
    const [progress, lag, now] = [graph.progress(), graph.lag(), this.#options.clock()];
    return { graph, progress, lag, ready: unready.length === 0, disk, storeMemory, now };
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
