import type { PageSample, ProcessSample, Run } from './samples.ts';

const MIB = 1024 * 1024;
const MINUTES = 60;
const RATE = 300;

/** Of the sample at a time: what differs from a run in which nothing grows. */
export type Leak<T> = (atS: number, flat: T) => Partial<T>;

/** A run of an hour in which nothing grows, but for what is asked. */
export function flatRun(
  leak: {
    readonly process?: Leak<ProcessSample>;
    readonly metrics?: Leak<Readonly<Record<string, number>>>;
    readonly page?: Leak<PageSample>;
    readonly rest?: Partial<Run>;
  } = {},
): Run {
  const process = Array.from({ length: MINUTES * 6 }, (_, i): ProcessSample => {
    const atS = i * 10;
    const flat = flatProcess(atS);
    const metrics = Object.entries({ ...flat.metrics, ...leak.metrics?.(atS, flat.metrics) });
    const known = metrics.flatMap(([name, value]) => (value === undefined ? [] : [[name, value] as const]));
    return { ...flat, metrics: Object.fromEntries(known), ...leak.process?.(atS, flat) };
  });
  const pages = Array.from({ length: MINUTES * 2 }, (_, i): PageSample => {
    const flat = flatPage((i >> 1) * 60, i % 2 === 0 ? 'stays' : 'reloads');
    return { ...flat, ...leak.page?.(flat.atS, flat) };
  });
  return { begin: BEGIN, process, pages, problems: [], visits: VISITS, end: END, ...leak.rest };
}

function flatProcess(atS: number): ProcessSample {
  // A heap that is collected every 40 s, files that come and go.
  const saw = (atS / 10) % 4;
  return {
    ...{ kind: 'process', atS, rssMiB: 800 + saw, anonymousMiB: 730, files: 70 + saw, threads: 18 },
    ...{ connections: 9, load: 2, waitedS: atS * 0.1, latencyMs: { follow: { p50: 300, p99: 700 + saw } } },
    metrics: {
      'twhin_memory_bytes{part="heap_used"}': (50 + 30 * saw) * MIB,
      'twhin_memory_bytes{part="external"}': 20 * MIB,
      'twhin_events_consumed_total{graph="follow"}': 1_000 + atS * RATE,
      'twhin_cpu_seconds_total{mode="user"}': atS * 0.2,
      'twhin_lag_records{graph="follow",topic="follow",partition="0"}': 40,
      'twhin_rows{graph="follow"}': 10_000,
      'twhin_entities{graph="follow",type="user"}': 10_000,
      'twhin_edges{graph="follow",relation="follows"}': 100_000 + saw,
    },
  };
}

function flatPage(atS: number, tab: string): PageSample {
  // Longer curves, in both.
  const heapMiB = 2 + atS / 3600;
  return { kind: 'page', atS, tab, heapMiB, nodes: 1_000, shown: 960, listeners: 110, headline: 'Healthy' };
}

const BEGIN: Run['begin'] = {
  ...{ kind: 'begin', command: 'npm run soak', at: '2026-01-01T00:00:00.000Z', machine: 'm', versions: 'v' },
  ...{
    minutes: MINUTES,
    rate: RATE,
    brokers: 1,
    seed: 1,
    population: { users: 10_000 },
    filled: 1,
    fillS: 1,
    fillCpuS: 1,
  },
};

const VISITS: Run['visits'] = { kind: 'visits', loads: { stays: 1, reloads: 20 }, looks: { entity: 100 } };

const END: Run['end'] = {
  ...{ kind: 'end', sent: 1, acknowledged: 1, feederRetries: 0, exit: '0', warnings: [], drainS: 1 },
  verified: { events: 1 },
};
