import type { Stretch } from '../pipeline/ports.ts';
import { recordsIn } from './partition.ts';

/** The progress of one partition, in offsets, so that markers of transactions count as records. */
export interface PartitionProgress {
  readonly topic: string;
  readonly partition: number;
  readonly done: number;
  readonly of: number;
}

/** The progress of a replay. */
export interface ReplayProgress {
  readonly done: number;
  readonly of: number;
  readonly perSecond: number;
  /** Estimated time to the last record at the pace so far; undefined before there is a pace. */
  readonly leftS: number | undefined;
  readonly partitions: readonly PartitionProgress[];
}

/** Measures a replay's progress by the positions of its partitions. The pace is that of this process alone. */
export class ProgressMeter {
  readonly #stretches: readonly Stretch[];
  readonly #reached: (stretch: Stretch) => number;
  readonly #now: () => number;
  #first: { at: number; done: number } | undefined;

  /** now: epoch ms. */
  constructor(stretches: readonly Stretch[], reached: (stretch: Stretch) => number, now: () => number) {
    this.#stretches = stretches.filter(({ from, until }) => from < until);
    this.#reached = reached;
    this.#now = now;
  }

  /** Starts the measurement of the pace, once the store is loaded. Only the first call counts. */
  begin(): void {
    this.#first ??= { at: this.#now(), done: this.#done() };
  }

  read(): ReplayProgress {
    const partitions = this.#stretches.map((stretch) => ({
      topic: stretch.topic,
      partition: stretch.partition,
      done: this.#reached(stretch) - stretch.from,
      of: stretch.until - stretch.from,
    }));
    const done = this.#done();
    const of = recordsIn(this.#stretches);
    const seconds = this.#first === undefined ? 0 : (this.#now() - this.#first.at) / 1000;
    const perSecond = seconds > 0 && this.#first ? (done - this.#first.done) / seconds : 0;
    return { done, of, perSecond, leftS: perSecond > 0 ? (of - done) / perSecond : undefined, partitions };
  }

  #done(): number {
    return this.#stretches.reduce((sum, stretch) => sum + this.#reached(stretch) - stretch.from, 0);
  }
}
