import { Counter, type Registry } from 'prom-client';
import { type Measures, noMeasures } from '../pipeline/measures.ts';
import { Histograms } from './histograms.ts';

/** Bounds in seconds: from a commit of nothing to a broker that is away. */
const BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300];
/** An event may be days old when it comes. */
const EVENT_BUCKETS = [0.1, 0.25, 0.5, 1, 2, 3, 5, 10, 30, 60, 300, 3_600, 86_400];

/** What updaters measure as they go, as histograms of all graphs; `of` gives a graph's own view of them. */
export function durations(
  registry: Registry,
  histograms = new Histograms(registry),
): { of(graph: string): Measures } {
  const histogram = (name: string, help: string, buckets = BUCKETS) =>
    histograms.make({ name, help, buckets, labels: ['graph'] });
  const batch = histogram('twhin_batch_duration_seconds', 'First record of a batch → handed to the trainer.');
  const step = histogram('twhin_step_duration_seconds', 'Batch handed to the trainer → answered.');
  const commit = histogram('twhin_commit_duration_seconds', 'Commit asked for → written.');
  const publish = histogram('twhin_publish_duration_seconds', 'Vectors read from the store → acknowledged.');
  const arrival = histogram(
    'twhin_arrival_latency_seconds',
    'Record taken from the log → vector of an entity it names acknowledged.',
  );
  const event = histogram(
    'twhin_event_latency_seconds',
    'Time of an event → vector of an entity it names acknowledged.',
    EVENT_BUCKETS,
  );
  const batches = new Counter({
    ...{ name: 'twhin_batches_total', help: 'Batches trained since the process began.' },
    ...{ labelNames: ['graph'], registers: [registry] },
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
