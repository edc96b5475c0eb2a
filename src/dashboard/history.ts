import { z } from 'zod';

/** The values of a graph that are kept over time. */
export const CURVES = [
  'latencyP50Ms',
  'latencyP99Ms',
  'lagSeconds',
  'lagRecords',
  'eventsPerS',
  'publishedPerS',
  'rejectedPerS',
  'loss',
  'mrrKnown',
  'mrrNew',
  'mrrPopularity',
  'outbox',
  'entities',
  'edges',
  'memoryBytes',
  'storeBytes',
  'step',
] as const;
export type Curve = (typeof CURVES)[number];
/** Exact counts: stored with all digits; a coarse point takes the last value instead of the mean. */
const COUNTS: ReadonlySet<Curve> = new Set<Curve>(['step']);

/** The values at one moment, epoch ms. */
export interface Point {
  readonly at: number;
  readonly values: Readonly<Partial<Record<Curve, number | undefined>>>;
}

/** Points by column, oldest first: `at[i]` is the time of `curves[name][i]`; null for an unknown value. */
export const columnsSchema = z.object({
  at: z.array(z.number()),
  curves: z.record(z.string(), z.array(z.number().nullable())),
});
export type Columns = z.infer<typeof columnsSchema>;

const storedSchema = z.object({
  format: z.literal(1),
  /** Starts of the process, the newest last, epoch ms. */
  starts: z.array(z.number()),
  hour: columnsSchema,
  day: columnsSchema,
});

/** Distance between points: an hour of fine points and a day of coarse points, 2,160 in all. */
export const FINE_MS = 5_000;
const COARSE_MS = 60_000;
const FINE_POINTS = 720;
const COARSE_POINTS = 1_440;
const STARTS = 50;

/** A graph's curves over the last hour and the last day, in bounded memory, and as text for a file. */
export class History {
  readonly starts: number[] = [];
  readonly #fine: Point[] = [];
  readonly #coarse: Point[] = [];
  /** Fine points of the next coarse point. */
  #gathering: Point[] = [];

  started(at: number): void {
    this.starts.push(at);
    if (this.starts.length > STARTS) this.starts.shift();
  }

  add(point: Point): void {
    push(this.#fine, point, FINE_POINTS);
    this.#gathering.push(point);
    const [first] = this.#gathering;
    if (first === undefined || point.at - first.at < COARSE_MS - FINE_MS) return;
    push(this.#coarse, meanOf(this.#gathering), COARSE_POINTS);
    this.#gathering = [];
  }

  hour(): Columns {
    return columnsOf(this.#fine);
  }

  day(): Columns {
    return columnsOf(this.#coarse);
  }

  /** The two points between which the graph reached `step`, a step as in the headers on the topic. */
  when(step: number): Bracket {
    const fineFrom = this.#fine[0]?.at ?? Number.POSITIVE_INFINITY;
    const points = [...this.#coarse.filter(({ at }) => at < fineFrom), ...this.#fine];
    return bracketOf(
      step,
      points.map(({ at, values }) => ({ at, step: values.step })),
    );
  }

  toText(): string {
    return JSON.stringify({ format: 1, starts: this.starts, hour: this.hour(), day: this.day() });
  }

  /** @throws when the text is not from `toText`. */
  static fromText(text: string): History {
    const { starts, hour, day } = storedSchema.parse(JSON.parse(text));
    const history = new History();
    history.starts.push(...starts.slice(-STARTS));
    history.#fine.push(...pointsOf(hour).slice(-FINE_POINTS));
    history.#coarse.push(...pointsOf(day).slice(-COARSE_POINTS));
    return history;
  }
}

function push(points: Point[], point: Point, most: number): void {
  points.push(point);
  if (points.length > most) points.shift();
}

function meanOf(points: readonly Point[]): Point {
  const values = CURVES.map((curve) => {
    const known = points.map((point) => point.values[curve]).filter((value) => value !== undefined);
    if (COUNTS.has(curve)) return [curve, known.at(-1)] as const;
    const sum = known.reduce((total, value) => total + value, 0);
    return [curve, known.length === 0 ? undefined : sum / known.length] as const;
  });
  return { at: points.at(-1)?.at ?? 0, values: Object.fromEntries(values) };
}

function columnsOf(points: readonly Point[]): Columns {
  const column = (curve: Curve) => points.map(({ values }) => rounded(curve, values[curve]));
  return {
    at: points.map(({ at }) => at),
    curves: Object.fromEntries(CURVES.map((curve) => [curve, column(curve)])),
  };
}

function pointsOf({ at, curves }: Columns): Point[] {
  return at.map((moment, i) => ({
    at: moment,
    values: Object.fromEntries(CURVES.map((curve) => [curve, curves[curve]?.[i] ?? undefined])),
  }));
}

/** The value with four digits: more than a curve shows, in a third of the text. */
function rounded(curve: Curve, value: number | undefined): number | null {
  if (value === undefined || !Number.isFinite(value)) return null;
  return COUNTS.has(curve) ? value : Number(value.toPrecision(4));
}

/** The two points around a moment, epoch ms. Without `from`: before the oldest point; without `to`: after the newest. */
export interface Bracket {
  readonly from?: number;
  readonly to?: number;
}

/**
 * The two points between which a graph reached `step`; empty when no point has a step.
 * points: oldest first. A falling step means another training run; earlier points do not count then.
 */
export function bracketOf(
  step: number,
  points: readonly { readonly at: number; readonly step: number | undefined }[],
): Bracket {
  let next: { readonly at: number; readonly step: number } | undefined;
  for (const { at, step: reached } of points.toReversed()) {
    if (reached === undefined) continue;
    if (next !== undefined && reached > next.step) break;
    if (reached < step) return next === undefined ? { from: at } : { from: at, to: next.at };
    next = { at, step: reached };
  }
  return next === undefined ? {} : { to: next.at };
}
