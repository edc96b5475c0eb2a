import type { HistoryView } from '../adapters/http/status.ts';
import { type Disk, diskOf, type WatchedGraph } from '../metrics/graph.ts';
import type { Progress } from '../pipeline/progress.ts';

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
] as const;
type Curve = (typeof CURVES)[number];

/** The values at one moment, epoch ms. */
export interface Point {
  readonly at: number;
  readonly values: Readonly<Partial<Record<Curve, number | undefined>>>;
}

/** Distance between points: an hour of fine points and a day of coarse points, 2,160 in all. */
export const FINE_MS = 5_000;
const COARSE_MS = 60_000;
const FINE_POINTS = 720;
const COARSE_POINTS = 1_440;
/** Points that the share of rejected events is computed over: five minutes. */
const RECENT = 60;

/** A graph's curves over the last hour and the last day, in bounded memory. */
export class Curves {
  readonly #fine: Point[] = [];
  readonly #coarse: Point[] = [];
  /** Fine points of the next coarse point. */
  #gathering: Point[] = [];

  add(point: Point): void {
    push(this.#fine, point, FINE_POINTS);
    this.#gathering.push(point);
    const [first] = this.#gathering;
    if (first === undefined || point.at - first.at < COARSE_MS - FINE_MS) return;
    push(this.#coarse, meanOf(this.#gathering), COARSE_POINTS);
    this.#gathering = [];
  }

  of(range: 'hour' | 'day'): HistoryView {
    const points = range === 'hour' ? this.#fine : this.#coarse;
    const column = (curve: Curve) => points.map(({ values }) => rounded(values[curve]));
    const curves = Object.fromEntries(CURVES.map((curve) => [curve, column(curve)]));
    return { at: points.map(({ at }) => at), curves };
  }
}

function push<T>(points: T[], point: T, most: number): void {
  points.push(point);
  if (points.length > most) points.shift();
}

function meanOf(points: readonly Point[]): Point {
  const values = CURVES.map((curve) => {
    const known = points.map((point) => point.values[curve]).filter((value) => value !== undefined);
    const sum = known.reduce((total, value) => total + value, 0);
    return [curve, known.length === 0 ? undefined : sum / known.length] as const;
  });
  return { at: points.at(-1)?.at ?? 0, values: Object.fromEntries(values) };
}

/** The value with four digits: more than a curve shows, in a third of the text. */
function rounded(value: number | undefined): number | null {
  return value === undefined || !Number.isFinite(value) ? null : Number(value.toPrecision(4));
}

/** Which share of the events of the last five minutes was rejected, by counts of every five seconds. */
export class RejectedShare {
  readonly #recent: { readonly read: number; readonly rejected: number }[] = [];

  /** Both count from the same start. */
  add(counted: { readonly read: number; readonly rejected: number }): void {
    push(this.#recent, counted, RECENT);
  }

  get value(): number {
    const [first, last] = [this.#recent[0], this.#recent.at(-1)];
    if (first === undefined || last === undefined || last.read <= first.read) return 0;
    return (last.rejected - first.rejected) / (last.read - first.read);
  }
}

export class Recorder {
  readonly curves = new Curves();
  readonly rejected = new RejectedShare();
  /** As of the last point. */
  disk: Disk | undefined;
  readonly #graph: Pick<WatchedGraph, 'folder' | 'progress' | 'lag'>;
  #before: { readonly at: number; readonly progress: Progress } | undefined;

  constructor(graph: Pick<WatchedGraph, 'folder' | 'progress' | 'lag'>) {
    this.#graph = graph;
  }

  async record(): Promise<void> {
    this.disk = await diskOf(this.#graph.folder);
    const now = Date.now();
    const progress = this.#graph.progress();
    this.curves.add({ at: now, values: this.#values(progress, now) });
    this.#before = { at: now, progress };
    const { consumed: read, rejected } = progress.events;
    this.rejected.add({ read, rejected });
  }

  #values(progress: Progress, now: number): Point['values'] {
    const [lag, before] = [this.#graph.lag(), this.#before];
    // A rate over a gap, or over the counts of another updater, would be wrong.
    const seconds = before && now - before.at < 3 * FINE_MS ? (now - before.at) / 1000 : undefined;
    const rate = (of: (progress: Progress) => number): number | undefined => {
      if (before === undefined || seconds === undefined) return undefined;
      const more = of(progress) - of(before.progress);
      return more < 0 ? undefined : more / seconds;
    };
    return {
      latencyP50Ms: progress.latencyMs.p50,
      latencyP99Ms: progress.latencyMs.p99,
      lagSeconds: lag.length === 0 ? undefined : Math.max(...lag.map((each) => each.seconds ?? 0)),
      lagRecords: lag.length === 0 ? undefined : sum(lag.map(({ records }) => records)),
      eventsPerS: rate(({ events }) => events.consumed),
      publishedPerS: rate(({ published }) => published),
      rejectedPerS: rate(({ events }) => events.rejected),
      loss: progress.loss,
      mrrKnown: progress.known?.mrr,
      mrrNew: progress.fresh?.mrr,
      mrrPopularity: progress.known?.popularityMrr,
      outbox: progress.outbox,
      entities: sum(Object.values(progress.entities)),
      edges: sum(Object.values(progress.edges)),
      memoryBytes: process.memoryUsage.rss(),
      storeBytes: this.disk?.used,
    };
  }
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
