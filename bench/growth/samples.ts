import { type Scrape, total } from '../../test/faults/soak/scrape.ts';

/** What an updater's metrics say of a stretch of time. NaN where nothing was counted. */
export interface Sample {
  /** Seconds since the first event. */
  readonly at: number;
  readonly events: number;
  readonly eventsPerS: number;
  readonly entities: number;
  readonly edges: number;
  readonly rssMiB: number;
  readonly storeMiB: number;
  readonly cores: number;
  /** Commit asked for → written, mean, ms. */
  readonly commitMs: number;
  /** Record taken → its vector acknowledged, ms. */
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** How late the main thread came to a timer, p99.9, ms. */
  readonly loopMs: number;
}

const MIB = 2 ** 20;

export function sampleOf(before: Scrape, after: Scrape, time: { seconds: number; at: number }): Sample {
  const counted = (name: string) => total(after, name) - total(before, name);
  const quantile = (name: string, q: number) =>
    1000 * (quantileOf(bucketsBetween(before, after, name), q) ?? Number.NaN);
  return {
    at: time.at,
    events: total(after, 'twhin_events_consumed_total'),
    eventsPerS: counted('twhin_events_consumed_total') / time.seconds,
    entities: total(after, 'twhin_entities'),
    edges: total(after, 'twhin_edges'),
    rssMiB: total(after, 'process_resident_memory_bytes') / MIB,
    storeMiB: total(after, 'twhin_store_bytes') / MIB,
    cores: counted('process_cpu_seconds_total') / time.seconds,
    commitMs:
      (1000 * counted('twhin_commit_duration_seconds_sum')) / counted('twhin_commit_duration_seconds_count'),
    p50Ms: quantile('twhin_arrival_latency_seconds', 0.5),
    p99Ms: quantile('twhin_arrival_latency_seconds', 0.99),
    loopMs: 1000 * total(after, 'nodejs_eventloop_lag_p99_seconds'),
  };
}

/** Counts up to and with each bound, the last bound infinite; bounds rise. */
type Buckets = readonly { readonly upTo: number; readonly count: number }[];

/**
 * As Prometheus has it: linear within the bucket that the quantile falls in, the largest bound there is where that is
 * the last. undefined where nothing was counted.
 */
function quantileOf(buckets: Buckets, q: number): number | undefined {
  const total = buckets.at(-1)?.count ?? 0;
  if (total <= 0) return undefined;
  const rank = q * total;
  const index = buckets.findIndex(({ count }) => count >= rank);
  const bucket = buckets[index];
  const below = buckets[index - 1];
  if (bucket === undefined) return undefined;
  if (!Number.isFinite(bucket.upTo)) return below?.upTo;
  const [from, counted] = [below?.upTo ?? 0, below?.count ?? 0];
  if (bucket.count === counted) return bucket.upTo;
  return from + ((bucket.upTo - from) * (rank - counted)) / (bucket.count - counted);
}

/** What a histogram counted between two scrapes, of all graphs together. */
function bucketsBetween(before: Scrape, after: Scrape, name: string): Buckets {
  const counts = new Map<number, number>();
  const add = (scrape: Scrape, sign: number) => {
    for (const [sample, value] of Object.entries(scrape).filter(([sample]) =>
      sample.startsWith(`${name}_bucket{`),
    )) {
      const le = /le="([^"]+)"/.exec(sample)?.[1];
      const upTo = le === '+Inf' ? Number.POSITIVE_INFINITY : Number(le);
      counts.set(upTo, (counts.get(upTo) ?? 0) + sign * value);
    }
  };
  add(after, 1);
  add(before, -1);
  return [...counts].map(([upTo, count]) => ({ upTo, count })).sort((a, b) => a.upTo - b.upTo);
}
