/** A figure at a moment. */
export interface Point {
  readonly atS: number;
  readonly value: number;
}

/** undefined of nothing. */
export function median(values: readonly number[]): number | undefined {
  const sorted = [...values].sort((a, b) => a - b);
  const [low, high] = [sorted[(sorted.length - 1) >> 1], sorted[sorted.length >> 1]];
  return low === undefined || high === undefined ? undefined : (low + high) / 2;
}

/**
 * Theil–Sen: the median slope of all pairs, per hour; a few wild points do not move it. undefined of fewer than two
 * moments.
 */
export function slopePerHour(points: readonly Point[]): number | undefined {
  const slopes: number[] = [];
  for (const [i, a] of points.entries()) {
    for (const b of points.slice(i + 1)) {
      if (b.atS !== a.atS) slopes.push(((b.value - a.value) / (b.atS - a.atS)) * 3600);
    }
  }
  return median(slopes);
}

/** The smallest in each span of time: of a heap, what is left after a collection. */
export function floors(points: readonly Point[], spanS: number): Point[] {
  const spans = Map.groupBy(points, ({ atS }) => Math.floor(atS / spanS));
  return [...spans.values()].map((span) =>
    span.reduce((least, point) => (point.value < least.value ? point : least)),
  );
}

/** Medians of the first and of the last third of the time that the points span. undefined of nothing. */
export function thirds(points: readonly Point[]): { first: number; last: number } | undefined {
  const [from, to] = [points[0]?.atS ?? 0, points.at(-1)?.atS ?? 0];
  const third = (to - from) / 3;
  const first = median(points.filter(({ atS }) => atS <= from + third).map(({ value }) => value));
  const last = median(points.filter(({ atS }) => atS >= to - third).map(({ value }) => value));
  return first === undefined || last === undefined ? undefined : { first, last };
}

/** Counts up to and with each bound, the last bound infinite; bounds rise. */
export type Buckets = readonly { readonly upTo: number; readonly count: number }[];

/**
 * As Prometheus has it: linear within the bucket that the quantile falls in, the largest bound there is where that is
 * the last. undefined where nothing was counted.
 */
export function quantileOf(buckets: Buckets, q: number): number | undefined {
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
