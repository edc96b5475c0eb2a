import { floors, type Point, quantileOf } from './arithmetic.ts';
import type { ProcessSample } from './samples.ts';
import { bucketsBetween, total } from './scrape.ts';

const MIB = 1024 * 1024;
const CALM_S = 60;
/** Samples come a little late. */
const SLACK_S = 2;
/** Share of the time; over it what others do decides how late vectors are. */
export const MOST_WAITED = 0.3;

/** The process over a part of the time. */
export interface Window {
  readonly fromS: number;
  readonly toS: number;
  readonly samples: readonly ProcessSample[];
  /** Events that its graphs took up, each graph's own reading of one, a second. */
  readonly eventsPerS: number;
  /** Processor time, in cores. */
  readonly cores: number;
  /** Time of an event → vector, ms; within a bucket by interpolation. */
  readonly eventP50Ms: number | undefined;
  readonly eventP99Ms: number | undefined;
  /** How late the main thread was. */
  readonly loopP99Ms: number | undefined;
  /** Share of the time that the main thread was ready to run and had no core; undefined where nobody counted. */
  readonly waited: number | undefined;
}

/** The time of the samples in parts of equal length; each begins with the sample that the one before ends with. */
export function windowsOf(samples: readonly ProcessSample[], spanS: number): Window[] {
  const windows: Window[] = [];
  const endS = samples.at(-1)?.atS ?? 0;
  // A rest of less than half a part is no part of its own.
  for (let fromS = 0; fromS + spanS / 2 <= endS; fromS += spanS) {
    const within = samples.filter(({ atS }) => atS >= fromS && atS < fromS + spanS);
    const before = samples.findLast(({ atS }) => atS < fromS) ?? within[0];
    const last = within.at(-1);
    if (before === undefined || last === undefined || before === last) continue;
    windows.push({ fromS, toS: fromS + spanS, samples: within, ...between(before, last) });
  }
  return windows;
}

/** What was counted between two samples. */
export function between(
  before: ProcessSample,
  after: ProcessSample,
): Omit<Window, 'fromS' | 'toS' | 'samples'> {
  const seconds = after.atS - before.atS;
  const grown = (name: string) => total(after.metrics, name) - total(before.metrics, name);
  const quantileMs = (name: string, q: number) => {
    const found = quantileOf(bucketsBetween(before.metrics, after.metrics, name), q);
    return found === undefined ? undefined : found * 1000;
  };
  return {
    eventsPerS: grown('twhin_events_consumed_total') / seconds,
    cores: grown('twhin_cpu_seconds_total') / seconds,
    eventP50Ms: quantileMs('twhin_event_latency_seconds', 0.5),
    eventP99Ms: quantileMs('twhin_event_latency_seconds', 0.99),
    loopP99Ms: quantileMs('twhin_event_loop_delay_seconds', 0.99),
    waited: waitedBetween(before, after),
  };
}

/**
 * Samples before which, for a minute, the main thread had a core for most of the time that it wanted one: how late it is
 * in the others says what else the machine did. All of them where nobody counted.
 */
export function undisturbed(samples: readonly ProcessSample[]): ProcessSample[] {
  return samples.filter((sample) => {
    const before = samples.find(({ atS }) => atS >= sample.atS - CALM_S - SLACK_S);
    if (before === undefined || before === sample) return sample.waitedS === undefined;
    return (waitedBetween(before, sample) ?? 0) <= MOST_WAITED;
  });
}

function waitedBetween(before: ProcessSample, after: ProcessSample): number | undefined {
  if (before.waitedS === undefined || after.waitedS === undefined) return undefined;
  return (after.waitedS - before.waitedS) / (after.atS - before.atS);
}

/** Figures of a sample that are looked at over time. */
export const FIGURES = {
  rssMiB: (sample: ProcessSample) => sample.rssMiB,
  heapMiB: (sample: ProcessSample) => part(sample, 'heap_used'),
  externalMiB: (sample: ProcessSample) => part(sample, 'external'),
  files: (sample: ProcessSample) => sample.files,
  threads: (sample: ProcessSample) => sample.threads,
  connections: (sample: ProcessSample) => sample.connections,
  load: (sample: ProcessSample) => sample.load,
  /** Records that wait in the topics, of all graphs. */
  lag: (sample: ProcessSample) => total(sample.metrics, 'twhin_lag_records'),
  rows: (sample: ProcessSample) => total(sample.metrics, 'twhin_rows'),
  entities: (sample: ProcessSample) => total(sample.metrics, 'twhin_entities'),
  edges: (sample: ProcessSample) => total(sample.metrics, 'twhin_edges'),
  storeMiB: (sample: ProcessSample) => total(sample.metrics, 'twhin_store_bytes') / MIB,
  /** Record taken from the log → vector acknowledged; of the slower graph. */
  p50Ms: (sample: ProcessSample) => slowest(sample, 'p50'),
  p99Ms: (sample: ProcessSample) => slowest(sample, 'p99'),
} as const;

export type Figure = keyof typeof FIGURES;

/**
 * What the heap holds over time: after collections that were asked for, or else, less sharp, the least of each so many
 * seconds.
 */
export function heldHeap(samples: readonly ProcessSample[], spanS: number): Point[] {
  const asked = samples.flatMap(({ atS, heldMiB }) =>
    heldMiB === undefined ? [] : [{ atS, value: heldMiB }],
  );
  return asked.length > 0 ? asked : floors(pointsOf(samples, 'heapMiB'), spanS);
}

/** A figure over time. */
export function pointsOf(samples: readonly ProcessSample[], figure: Figure): Point[] {
  return samples.map((sample) => ({ atS: sample.atS, value: FIGURES[figure](sample) }));
}

function part({ metrics }: ProcessSample, name: string): number {
  return total(metrics, 'twhin_memory_bytes', `part="${name}"`) / MIB;
}

function slowest({ latencyMs }: ProcessSample, quantile: 'p50' | 'p99'): number {
  return Math.max(0, ...Object.values(latencyMs).map((of) => of[quantile] ?? 0));
}
