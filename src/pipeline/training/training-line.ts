import type { Measures } from '../measures.ts';
import type { Pace } from '../tuning.ts';
import { OpenBatch } from './open-batch.ts';
import { OpenShardBatch } from './open-shard-batch.ts';
import type { TrainingSummary } from './summary.ts';
import type { Outgoing, Trainer } from './trainer.ts';

/** Batches handed over and not yet answered. Two keep the trainer busy while records are read. */
const MAX_WAITING = 2;

export interface TrainingLineOptions {
  readonly trainer: Trainer;
  readonly summary: TrainingSummary;
  readonly measures: Measures;
  /** lingerMs: a batch is due at this age, or as soon as no record is waiting; Infinity: only when it is full. */
  readonly tuning: Pick<Pace, 'lingerMs'>;
  clock(): number;
  /** The trainer can't go on. */
  failed(error: Error): void;
}

/** The edges of one batch in the range of all that a shard handed to its trainer: after `first`, up to `last`. */
export interface TrainedRange {
  readonly first: number;
  readonly last: number;
}

/** What joins a shard's batches to the other shards of its graph. */
export interface ShardLine {
  /** Numbers in a vector. */
  readonly dim: number;
  /** Closes the shard's part of a batch of `edges` new edges. Gives the range of these edges. */
  hand(batch: OpenBatch, edges: number): TrainedRange;
  /** Takes what came out of a batch for the others. */
  send(outgoing: Outgoing, range: TrainedRange): void;
}

/** The batch being gathered, and those before it on their way through the trainer. */
export class TrainingLine {
  open = new OpenBatch();
  #shard: ShardLine | undefined;
  readonly #options: TrainingLineOptions;
  readonly #waiting: Promise<void>[] = [];

  constructor(options: TrainingLineOptions) {
    this.#options = options;
  }

  /** Makes it the line of a shard. To be called before the first record. */
  join(shard: ShardLine): void {
    this.#shard = shard;
    this.open = this.#opened();
  }

  /** before: a batch that is closed by now, whose memory is used again. */
  #opened(before?: OpenBatch): OpenBatch {
    return new OpenBatch(this.#shard && new OpenShardBatch(this.#shard.dim, before?.shard));
  }

  /** Whether the open batch is to wait no longer. idle: no record is at hand. */
  isDue(idle: boolean): boolean {
    const { tuning, clock } = this.#options;
    const { lingerMs } = tuning;
    const { since } = this.open;
    if (since === undefined || lingerMs === Number.POSITIVE_INFINITY) return false;
    return idle || clock() - since >= lingerMs;
  }

  /** Hands the open batch to the trainer; waits only while it has two already. Never rejects. */
  async hand(): Promise<void> {
    const batch = this.open;
    if (batch.empty) {
      this.open = this.#opened();
      return;
    }
    const shard = this.#shard;
    const range = shard?.hand(batch, batch.edges);
    const { trainer, summary, measures, clock, failed } = this.#options;
    const began = clock();
    measures.batch?.(began - (batch.arrived ?? began));
    const closed = batch.close();
    this.open = this.#opened(batch);
    const training = trainer.train(closed).then((report) => {
      measures.step?.(clock() - began);
      if (report.ranked !== undefined) measures.ranked?.(report.ranked);
      summary.add(report);
      if (range && report.outgoing) shard?.send(report.outgoing, range);
    }, failed);
    this.#waiting.push(training);
    if (this.#waiting.length >= MAX_WAITING) await this.#waiting.shift();
  }

  /** Resolves once all that was handed over is answered. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.#waiting);
  }
}
