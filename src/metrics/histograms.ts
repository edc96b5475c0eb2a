import { Counter, Histogram, type Registry } from 'prom-client';
import { type Measures, noMeasures } from '../pipeline/measures.ts';

type Labels = Readonly<Record<string, string>>;
/** Takes one value of a histogram. */
export type Observe = (name: string, labels: Labels, value: number) => void;

export interface HistogramSettings {
  readonly name: string;
  readonly help: string;
  readonly labels: readonly string[];
  /** Upper bounds, ascending, in the unit of the name. */
  readonly buckets: readonly number[];
}

/** The histograms of a registry. A histogram's values can't be read again later, so `onValue` passes each value on. */
export class Histograms {
  readonly all: HistogramSettings[] = [];
  readonly #registry: Registry;
  #observe: Observe | undefined;

  constructor(registry: Registry) {
    this.#registry = registry;
  }

  /** Adds a histogram; the returned function takes the histogram's values. */
  make(settings: HistogramSettings): (labels: Labels, value: number) => void {
    this.all.push(settings);
    const { name, help, labels: labelNames, buckets } = settings;
    const histogram = new Histogram({
      name,
      help,
      labelNames: [...labelNames],
      buckets: [...buckets],
      registers: [this.#registry],
    });
    return (labels, value) => {
      histogram.observe(labels, value);
      this.#observe?.(name, labels, value);
    };
  }

  /** Passes every further value of all histograms to `observe` too. */
  onValue(observe: Observe): void {
    this.#observe = observe;
  }
}

/** Seconds: from an empty commit to a broker that is down. */
const BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300];
/** Seconds: an event may arrive days late. */
const EVENT_BUCKETS = [0.1, 0.25, 0.5, 1, 2, 3, 5, 10, 30, 60, 300, 3_600, 86_400];

/** The durations that updaters measure, as histograms; `of` gives the measures of one graph. */
export function durations(
  registry: Registry,
  histograms = new Histograms(registry),
): { of(graph: string): Measures } {
  const histogram = (name: string, help: string, buckets = BUCKETS) =>
    histograms.make({ name, help, buckets, labels: ['graph'] });
  const batch = histogram(
    'twhin_batch_duration_seconds',
    'From the first record of a batch to the hand-over to the trainer.',
  );
  const step = histogram(
    'twhin_step_duration_seconds',
    'From the hand-over of a batch to the answer of the trainer.',
  );
  const commit = histogram('twhin_commit_duration_seconds', 'From the request of a commit to its end.');
  const publish = histogram(
    'twhin_publish_duration_seconds',
    'From reading vectors from the store to their acknowledgement.',
  );
  const arrival = histogram(
    'twhin_arrival_latency_seconds',
    'From taking a record from the log to the acknowledgement of the vector of an entity that the record names.',
  );
  const event = histogram(
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
  return {
    of: (graph) => ({
      ...noMeasures,
      batch: (_edges, ms) => {
        batches.inc({ graph });
        batch({ graph }, ms / 1000);
      },
      step: (ms) => step({ graph }, ms / 1000),
      commit: (_commit, ms) => commit({ graph }, ms / 1000),
      publish: (_vectors, ms) => publish({ graph }, ms / 1000),
      fresh: (sinceArrivalMs, sinceEventMs) => {
        arrival({ graph }, Math.max(0, sinceArrivalMs) / 1000);
        event({ graph }, Math.max(0, sinceEventMs) / 1000);
      },
    }),
  };
}
