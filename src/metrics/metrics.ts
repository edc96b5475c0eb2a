import { Registry } from 'prom-client';
import type { Measures } from '../pipeline/measures.ts';
import { LOADED, OPENED, READY } from './families.ts';
import { snapshotOf, type WatchedGraph } from './graph.ts';
import { durations } from './histograms.ts';
import { ROUTER, type WatchedRouter } from './router.ts';
import { addProcess, Scraped } from './scraped.ts';

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
  readonly #durations = durations(this.#registry);
  readonly #loaded = new Scraped(this.#registry, LOADED);
  readonly #opened = new Scraped(this.#registry, OPENED);
  readonly #routers = new Scraped(this.#registry, ROUTER);
  readonly #ready = new Scraped(this.#registry, READY);
  #rendering: Promise<string> | undefined;

  constructor(options: MetricsOptions) {
    this.#options = options;
    addProcess(this.#registry, options.version);
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

  async #render(): Promise<string> {
    const { graphs, routers, names, clock } = this.#options;
    const snapshots = await Promise.all(graphs().map((graph) => snapshotOf(graph, clock)));
    const states = snapshots.map((snapshot) => [snapshot.graph.name, snapshot] as const);
    this.#opened.fill(states);
    this.#loaded.fill(states.filter(([, { progress }]) => progress.writer !== undefined));
    this.#ready.fill(
      names.map((name) => [name, snapshots.find(({ graph }) => graph.name === name)?.ready === true]),
    );
    this.#routers.fill(routers().map((router) => [router.graph, router]));
    return this.#registry.metrics();
  }
}
