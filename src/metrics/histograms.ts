import { Counter, type Registry } from 'prom-client';
import type { Measures } from '../pipeline/measures.ts';
import { histogram } from './scraped.ts';

/** Seconds: from an empty commit to a broker that is down. */
const BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300];
/** Seconds: an event may arrive days late. */
const EVENT_BUCKETS = [0.1, 0.25, 0.5, 1, 2, 3, 5, 10, 30, 60, 300, 3_600, 86_400];

/** The durations that updaters measure, as histograms; `of` gives the measures of one graph. */
export function durations(registry: Registry): { of(graph: string): Measures } {
  const seconds = (name: string, help: string, buckets = BUCKETS) => {
    const made = histogram(registry, { name, help, buckets, labels: ['graph'] });
    return (graph: string, ms: number) => made.observe({ graph }, Math.max(0, ms) / 1000);
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
  const publish = seconds(
    'twhin_publish_duration_seconds',
    'From reading vectors from the store to their acknowledgement.',
  );
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
  return {
    of: (graph) => ({
      batch: (ms) => {
        batches.inc({ graph });
        batch(graph, ms);
      },
      step: (ms) => step(graph, ms),
      commit: (ms) => commit(graph, ms),
      publish: (ms) => publish(graph, ms),
      fresh: (sinceArrivalMs, sinceEventMs) => {
        arrival(graph, sinceArrivalMs);
        event(graph, sinceEventMs);
      },
    }),
  };
}
