import { Counter, Histogram, type Registry } from 'prom-client';
import { type Measures, noMeasures } from '../pipeline/measures.ts';

type Labels = Readonly<Record<string, string>>;

interface HistogramSettings {
  readonly name: string;
  readonly help: string;
  readonly labels: readonly string[];
  /** Upper bounds, ascending, in the unit of the name. */
  readonly buckets: readonly number[];
}

/** Adds a histogram to a registry; the returned function takes the histogram's values. */
export function makeHistogram(
  registry: Registry,
  { name, help, labels, buckets }: HistogramSettings,
): (labels: Labels, value: number) => void {
  const options = { name, help, labelNames: [...labels], buckets: [...buckets], registers: [registry] };
  const histogram = new Histogram(options);
  return (values, value) => histogram.observe(values, value);
}

/** Seconds: from an empty commit to a broker that is down. */
const BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300];
/** Seconds: an event may arrive days late. */
const EVENT_BUCKETS = [0.1, 0.25, 0.5, 1, 2, 3, 5, 10, 30, 60, 300, 3_600, 86_400];

/** The durations that updaters measure, as histograms; `of` gives the measures of one graph. */
export function durations(registry: Registry): { of(graph: string): Measures } {
  const histogram = (name: string, help: string, buckets = BUCKETS) =>
    makeHistogram(registry, { name, help, buckets, labels: ['graph'] });
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
      batch: (ms) => {
        batches.inc({ graph });
        batch({ graph }, ms / 1000);
      },
      step: (ms) => step({ graph }, ms / 1000),
      commit: (ms) => commit({ graph }, ms / 1000),
      publish: (ms) => publish({ graph }, ms / 1000),
      fresh: (sinceArrivalMs, sinceEventMs) => {
        arrival({ graph }, Math.max(0, sinceArrivalMs) / 1000);
        event({ graph }, Math.max(0, sinceEventMs) / 1000);
      },
    }),
  };
}
