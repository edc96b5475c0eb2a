import type { EntityIndex } from '../graph/entity-index.ts';
import type { Counters } from './counters.ts';
import type { RecordQueue } from './reading/queue.ts';
import type { RankSums, TrainReport } from './training/trainer.ts';
import type { Committer } from './writing/committer.ts';
import type { Publisher } from './writing/publish.ts';

/** Weight a batch's figures lose with each batch that follows: about the last hundred count. */
const FADE = 0.99;

/** Mean quality of a set of ranked edges; `count` edges, faded, stand behind it. */
export interface Quality {
  readonly count: number;
  readonly mrr: number;
  readonly hits10: number;
  readonly popularityMrr: number;
  readonly randomMrr: number;
}

export type Phase =
  | 'loading'
  | 'joining'
  | 'standby'
  | 'taking-over'
  | 'running'
  | 'draining'
  | 'stopped'
  | 'failed';

/** Where an updater stands, for people, tests and metrics. Rates are for the reader to take from two of these. */
export interface Progress {
  readonly graph: string;
  readonly phase: Phase;
  readonly events: Counters['events'];
  readonly entities: Record<string, number>;
  readonly edges: Record<string, number>;
  readonly step: number;
  /** Edges trained since this process began. */
  readonly trained: number;
  /** Loss of an anchor, recent mean; undefined before the first batch. */
  readonly loss: number | undefined;
  /** Recent prequential quality: both ends trained before, or one of them new. */
  readonly known: Quality | undefined;
  readonly fresh: Quality | undefined;
  readonly knownByRelation: Record<string, Quality>;
  readonly published: number;
  readonly outbox: number;
  readonly commits: number;
  /** Arrival of a record → its vector acknowledged, ms, over recent vectors. */
  readonly latencyMs: { readonly p50: number | undefined; readonly p99: number | undefined };
  readonly queue: { readonly records: number; readonly bytes: number };
}

/** The parts of an updater that know where it stands; some are there only once its store is loaded. */
interface Standing {
  readonly graph: string;
  readonly phase: Phase;
  readonly summary: TrainingSummary;
  readonly queue: RecordQueue;
  readonly index?: EntityIndex;
  readonly counters?: Counters;
  readonly publisher?: Publisher;
  readonly committer?: Committer;
}

export function progressOf(standing: Standing): Progress {
  const { graph, phase, summary, queue, index, counters, publisher, committer } = standing;
  return {
    graph,
    phase,
    events: counters ? { ...counters.events } : { consumed: 0, rejected: 0, duplicate: 0, late: 0 },
    entities: index?.counts() ?? {},
    edges: { ...counters?.edges },
    step: summary.step,
    trained: summary.trained,
    loss: summary.loss,
    known: summary.known,
    fresh: summary.fresh,
    knownByRelation: summary.knownByRelation,
    published: publisher?.published ?? 0,
    outbox: publisher?.size ?? 0,
    commits: committer?.commits ?? 0,
    latencyMs: { p50: publisher?.latency.quantile(0.5), p99: publisher?.latency.quantile(0.99) },
    queue: { records: queue.length, bytes: queue.bytes },
  };
}

/** Training reports summed up, old ones fading. */
export class TrainingSummary {
  trained = 0;
  step = 0;
  #loss = 0;
  #anchors = 0;
  readonly #relations: readonly string[];
  readonly #known: RankSums[];
  readonly #fresh: RankSums[];

  constructor(relations: readonly string[]) {
    this.#relations = relations;
    this.#known = relations.map(noRanks);
    this.#fresh = relations.map(noRanks);
  }

  add(report: TrainReport): void {
    this.trained += report.edges;
    this.step = report.step;
    if (report.edges === 0) return;
    this.#loss = this.#loss * FADE + sum(report.loss);
    this.#anchors = this.#anchors * FADE + 2 * sum(report.edgesByRelation);
    fade(this.#known, report.known);
    fade(this.#fresh, report.fresh);
  }

  get loss(): number | undefined {
    return this.#anchors === 0 ? undefined : this.#loss / this.#anchors;
  }

  get known(): Quality | undefined {
    return quality(this.#known);
  }

  get fresh(): Quality | undefined {
    return quality(this.#fresh);
  }

  get knownByRelation(): Record<string, Quality> {
    const entries = this.#relations.flatMap((name, i) => {
      const mean = quality(this.#known.slice(i, i + 1));
      return mean ? [[name, mean] as const] : [];
    });
    return Object.fromEntries(entries);
  }
}

function noRanks(): RankSums {
  return { count: 0, reciprocal: 0, hits10: 0, popularityReciprocal: 0, randomReciprocal: 0 };
}

function fade(into: RankSums[], from: readonly RankSums[]): void {
  into.forEach((sums, i) => {
    const added = from[i] ?? noRanks();
    sums.count = sums.count * FADE + added.count;
    sums.reciprocal = sums.reciprocal * FADE + added.reciprocal;
    sums.hits10 = sums.hits10 * FADE + added.hits10;
    sums.popularityReciprocal = sums.popularityReciprocal * FADE + added.popularityReciprocal;
    sums.randomReciprocal = sums.randomReciprocal * FADE + added.randomReciprocal;
  });
}

function quality(sums: readonly RankSums[]): Quality | undefined {
  const count = sum(sums.map((each) => each.count));
  if (count < 1e-6) return undefined;
  const mean = (pick: (each: RankSums) => number) => sum(sums.map(pick)) / count;
  return {
    count,
    mrr: mean((each) => each.reciprocal),
    hits10: mean((each) => each.hits10),
    popularityMrr: mean((each) => each.popularityReciprocal),
    randomMrr: mean((each) => each.randomReciprocal),
  };
}

function sum(values: Iterable<number>): number {
  let total = 0;
  for (const value of values) total += value;
  return total;
}
