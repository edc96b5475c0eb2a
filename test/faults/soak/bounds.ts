/** The process at a moment. */
export interface Sample {
  /** Since the steady time began. */
  readonly atS: number;
  readonly rssMiB: number;
  readonly files: number;
  readonly threads: number;
  /** Record taken from the log → vector acknowledged; of the slower graph. */
  readonly p99Ms: number;
  /** Records that wait in the topics, of all graphs. */
  readonly lag: number;
  readonly entities: number;
  readonly edges: number;
  readonly storeMiB: number;
}

/** Something that must hold, and whether it did. */
export interface Check {
  readonly what: string;
  readonly bound: string;
  readonly seen: string;
  readonly holds: boolean;
}

/** Share of the time that is for warming up: nothing of it is judged. */
const WARM_UP = 0.25;
const SHARE = 0.05;
const LATENCY_TIMES = 1.5;
const LAG_S = 3;

/** The bounds that an hour without faults must keep: nothing grows, and nothing waits. */
export function verdictOf(
  all: readonly Sample[],
  { minutes, rate }: { readonly minutes: number; readonly rate: number },
): Check[] {
  const samples = all.filter(({ atS }) => atS >= minutes * 60 * WARM_UP);
  const slope = slopePerHour(samples);
  const rss = thirds(samples, 'rssMiB').first;
  return [
    atMost(samples, 'rssMiB', (first) => first * (1 + SHARE), '5 % more'),
    {
      what: 'rssMiB, slope an hour',
      bound: `±5 % of ${Math.round(rss)}`,
      seen: slope.toFixed(1),
      holds: Math.abs(slope) <= rss * SHARE,
    },
    atMost(samples, 'files', (first) => first + 2, '2 more'),
    atMost(samples, 'threads', (first) => first, 'no more'),
    atMost(samples, 'p99Ms', (first) => first * LATENCY_TIMES, `${LATENCY_TIMES} times`),
    atMost(samples, 'lag', () => LAG_S * rate, `${LAG_S} s of the load`),
    // A world that grows would need more memory by right.
    { ...atMost(samples, 'entities', (first) => first, 'no more'), holds: spread(samples, 'entities') === 0 },
    atMost(samples, 'edges', (first) => first * 1.01, '1 % more'),
  ];
}

function atMost(
  samples: readonly Sample[],
  what: keyof Sample,
  most: (first: number) => number,
  bound: string,
): Check {
  const { first, last } = thirds(samples, what);
  return {
    what: `${what}, median of the first and of the last third`,
    bound,
    seen: `${Math.round(first)} → ${Math.round(last)}`,
    holds: last <= most(first),
  };
}

function thirds(samples: readonly Sample[], what: keyof Sample): { first: number; last: number } {
  const third = Math.ceil(samples.length / 3);
  const values = samples.map((sample) => sample[what]);
  return { first: median(values.slice(0, third)), last: median(values.slice(-third)) };
}

function spread(samples: readonly Sample[], what: keyof Sample): number {
  const values = samples.map((sample) => sample[what]);
  return Math.max(...values) - Math.min(...values);
}

/** Theil–Sen: the median slope of all pairs; a few wild points do not move it. MiB an hour of resident memory. */
function slopePerHour(samples: readonly Pick<Sample, 'atS' | 'rssMiB'>[]): number {
  const slopes = samples.flatMap((a, i) =>
    samples.slice(i + 1).map((b) => ((b.rssMiB - a.rssMiB) / (b.atS - a.atS)) * 3600),
  );
  return median(slopes);
}

/** NaN of nothing, so that no bound holds where nothing was seen. */
function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const [low, high] = [sorted[(sorted.length - 1) >> 1], sorted[sorted.length >> 1]];
  return low === undefined || high === undefined ? Number.NaN : (low + high) / 2;
}
