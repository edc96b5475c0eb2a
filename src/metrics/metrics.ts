import { Counter, Histogram, Registry } from 'prom-client';
import type { Measures } from '../pipeline/measures.ts';
import { LOADED, OPENED, READY, ROUTER, type WatchedRouter } from './families.ts';
import { snapshotOf, type WatchedGraph } from './graph.ts';
import { addProcess, scraped } from './scraped.ts';

export interface MetricsOptions {
  readonly version: string;
  /** Names of all graphs of the run. A graph that is not open yet is not ready. */
  readonly names: readonly string[];
  /** The open graphs. A promotion replaces a graph's updater between two scrapes. */
  graphs(): readonly WatchedGraph[];
  routers(): readonly WatchedRouter[];
  clock(): number;
}

export class Metrics {
  readonly #options: MetricsOptions;
  readonly #registry = new Registry();
  readonly measuresOf = durations(this.#registry);
  readonly #loaded = scraped(this.#registry, LOADED);
  readonly #opened = scraped(this.#registry, OPENED);
  readonly #routers = scraped(this.#registry, ROUTER);
  readonly #ready = scraped(this.#registry, READY);
  #rendering: Promise<string> | undefined;

  constructor(options: MetricsOptions) {
    this.#options = options;
    addProcess(this.#registry, options.version);
  }

  get contentType(): string {
    return this.#registry.contentType;
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
    const states = snapshots.map((snapshot) => [snapshot.watched.name, snapshot] as const);
    this.#opened(states);
    this.#loaded(states.filter(([, { writer }]) => writer !== undefined));
    this.#ready(
      names.map((name) => [name, snapshots.find(({ watched }) => watched.name === name)?.ready === true]),
    );
    this.#routers(routers().map((router) => [router.graph, router]));
    return this.#registry.metrics();
  }
}

/** Seconds: from an empty commit to a broker that is down. */
const BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300];
/** Seconds: an event may arrive days late. */
const EVENT_BUCKETS = [0.1, 0.25, 0.5, 1, 2, 3, 5, 10, 30, 60, 300, 3_600, 86_400];

/** The durations that updaters measure, as histograms, by graph. */
function durations(registry: Registry): (graph: string) => Measures {
  const seconds = (name: string, help: string, buckets = BUCKETS) => {
    const made = new Histogram({ name, help, buckets, labelNames: ['graph'], registers: [registry] });
    return (graph: string) => {
      const { observe } = made.labels({ graph });
      return (ms: number) => observe(Math.max(0, ms) / 1000);
    };
  };
  const batch = seconds(
    'twhin_batch_duration_seconds',
    'From the first record of a batch to the hand-over to the trainer.',
  );
  const step = seconds(
    'twhin_step_duration_seconds',
    'From the hand-over of a batch to the answer of the trainer.',
  );
  const commit = seconds('twhin_commit_duration_seconds', 'From the request of a commit to its end.');
  const publish = seconds('twhin_publish_duration_seconds', 'From sending vectors to their acknowledgement.');
  const arrival = seconds(
    'twhin_arrival_latency_seconds',
    'From taking a record from the log to the acknowledgement of the vector of an entity that the record names.',
  );
  const event = seconds(
    'twhin_event_latency_seconds',
    'From the time of an event to the acknowledgement of the vector of an entity that the event names.',
    EVENT_BUCKETS,
  );
  const batches = new Counter({
    name: 'twhin_batches_total',
    help: 'Batches trained since the process began.',
    labelNames: ['graph'],
    registers: [registry],
  });
  return (graph) => {
    const [ofBatch, ofArrival, ofEvent] = [batch(graph), arrival(graph), event(graph)];
    return {
      batch: (ms) => {
        batches.inc({ graph });
        ofBatch(ms);
      },
      step: step(graph),
      commit: commit(graph),
      publish: publish(graph),
      fresh: (sinceArrivalMs, sinceEventMs) => {
        ofArrival(sinceArrivalMs);
        ofEvent(sinceEventMs);
      },
    };
  };
}
