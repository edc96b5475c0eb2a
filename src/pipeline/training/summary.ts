import { noRanks } from './ranking/evaluator.ts';
import type { RankSums, TrainReport } from './trainer.ts';

/** Factor by which a batch's weight shrinks with each later batch: about the last hundred batches count. */
const FADE = 0.99;

const RANK_SUMS = ['count', 'reciprocal', 'hits10', 'popularityReciprocal', 'randomReciprocal'] as const;

/** Mean quality of a set of ranked edges. count: weighted number of edges. */
export interface Quality {
  readonly count: number;
  readonly mrr: number;
  readonly hits10: number;
  readonly popularityMrr: number;
  readonly randomMrr: number;
}

/** Training reports summed up; old ones fade. */
export class TrainingSummary {
  trained = 0;
  step = 0;
  /** As of the newest report, {@link TrainReport.setAside}. */
  setAside = 0;
  /** Rows that got their start. */
  started = 0;
  readonly #relations: readonly string[];
  readonly #loss: number[];
  readonly #anchors: number[];
  readonly #known: RankSums[];
  readonly #fresh: RankSums[];

  constructor(relations: readonly string[]) {
    this.#relations = relations;
    this.#loss = relations.map(() => 0);
    this.#anchors = relations.map(() => 0);
    this.#known = relations.map(noRanks);
    this.#fresh = relations.map(noRanks);
  }

  add(report: TrainReport): void {
    this.trained += report.edges;
    this.step = report.step;
    this.setAside = report.setAside;
    this.started += report.started;
    if (report.edges === 0) return;
    for (let i = 0; i < this.#relations.length; i++) {
      this.#loss[i] = this.#loss[i]! * FADE + (report.loss[i] ?? 0);
      this.#anchors[i] = this.#anchors[i]! * FADE + 2 * (report.edgesByRelation[i] ?? 0);
    }
    fade(this.#known, report.known);
    fade(this.#fresh, report.fresh);
  }

  /** Recent mean loss of an anchor; undefined before the first batch. */
  get loss(): number | undefined {
    return mean(sum(this.#loss), sum(this.#anchors));
  }

  get lossByRelation(): Record<string, number> {
    return this.#byRelation((i) => mean(this.#loss[i]!, this.#anchors[i]!));
  }

  /** Quality of edges whose ends were both trained before. */
  get known(): Quality | undefined {
    return quality(this.#known);
  }

  /** Quality of edges with a new end. */
  get fresh(): Quality | undefined {
    return quality(this.#fresh);
  }

  get knownByRelation(): Record<string, Quality> {
    return this.#byRelation((i) => quality(this.#known.slice(i, i + 1)));
  }

  get freshByRelation(): Record<string, Quality> {
    return this.#byRelation((i) => quality(this.#fresh.slice(i, i + 1)));
  }

  /** By relation, without relations that have no edges yet. */
  #byRelation<T>(of: (i: number) => T | undefined): Record<string, T> {
    const entries = this.#relations.flatMap((name, i) => {
      const value = of(i);
      return value === undefined ? [] : [[name, value] as const];
    });
    return Object.fromEntries(entries);
  }
}

function fade(into: RankSums[], from: readonly RankSums[]): void {
  into.forEach((sums, i) => {
    const added = from[i] ?? noRanks();
    for (const each of RANK_SUMS) sums[each] = sums[each] * FADE + added[each];
  });
}

function quality(sums: readonly RankSums[]): Quality | undefined {
  const count = sum(sums.map((each) => each.count));
  if (count < 1e-6) return undefined;
  const over = (pick: (each: RankSums) => number) => sum(sums.map(pick)) / count;
  return {
    count,
    mrr: over((each) => each.reciprocal),
    hits10: over((each) => each.hits10),
    popularityMrr: over((each) => each.popularityReciprocal),
    randomMrr: over((each) => each.randomReciprocal),
  };
}

/** undefined where the weight is zero, or nearly zero after fading. */
function mean(total: number, count: number): number | undefined {
  return count < 1e-6 ? undefined : total / count;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
