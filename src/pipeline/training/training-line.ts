import type { EntityIndex } from '../../graph/entity-index.ts';
import { nextTurn } from '../../graph/turns.ts';
import { tableFull } from '../../model/table.ts';
import { knownEdgesFull } from '../../sampling/known-positives.ts';
import type { Measures } from '../measures.ts';
import type { Neighbours } from '../neighbours.ts';
import type { Pace } from '../tuning.ts';
import { packBatch } from './batch-codec.ts';
import { OpenBatch } from './open-batch.ts';
import type { TrainingSummary } from './summary.ts';
import type { Trainer, TrainerState } from './trainer.ts';

/**
 * Batches handed over and not yet answered, at most; the next come once one is left. Where cores are few, a main thread that wakes for every
 * batch takes a core from a training thread each time, and the other one waits for that thread. A shard has fewer: what other shards sent
 * joins a batch as it is handed over, and ranks worse the later it is trained (docs/adr/038).
 */
const [MAX_WAITING, MAX_OF_SHARD] = [6, 2];
/** So many may wait while the trainer trains its journal: a commit of what is read meanwhile does not wait for the training. */
const MAX_BEHIND_JOURNAL = 64;

export interface TrainingLineOptions {
  readonly trainer: Trainer;
  /** The trainer's, as of the start. */
  readonly limits: TrainerState['limits'];
  readonly index: Pick<EntityIndex, 'nextRow'>;
  readonly summary: TrainingSummary;
  readonly measures: Measures;
  /** Takes each batch, packed, before the trainer is given it. */
  journal(packed: Uint8Array): void;
  /** What is joined to each batch. */
  readonly neighbours: Neighbours;
  /** lingerMs: a batch is due at this age; Infinity: only when it is full. */
  readonly tuning: Pick<Pace, 'lingerMs'>;
  clock(): number;
  /** Whether the trainer has trained its journal. */
  isTrained(): boolean;
  /** The trainer can't go on. */
  failed(error: Error): void;
}

/** The batch being gathered, and those before it on their way through the trainer. */
export class TrainingLine {
  open = new OpenBatch();
  /** Processor time that the training took: of the thread that took longest, ms. */
  busyMs = 0;
  #liveEdges: number;
  readonly #options: TrainingLineOptions;
  readonly #waiting = new Set<Promise<void>>();

  constructor(options: TrainingLineOptions) {
    this.#options = options;
    this.#liveEdges = options.limits.liveEdges;
  }

  /** Time until the open batch is to wait no longer, ms; Infinity while it is empty. A clock that is set back holds it up no longer. */
  get dueInMs(): number {
    const { tuning, clock } = this.#options;
    const { since } = this.open;
    if (since === undefined) return Number.POSITIVE_INFINITY;
    return Math.max(0, tuning.lingerMs - Math.abs(clock() - since));
  }

  /**
   * Hands the open batch to the trainer; waits while it has enough already, for a turn of the event loop at least. Never rejects. A batch
   * that the trainer can't take fails before anything of it is in a journal, which would be trained again at each start.
   */
  async hand(): Promise<void> {
    const batch = this.open;
    const { trainer, limits, index, summary, neighbours, measures } = this.#options;
    const { journal, clock, isTrained, failed } = this.#options;
    this.open = new OpenBatch();
    if (batch.empty && neighbours.idle) return;
    this.#liveEdges += batch.live;
    if (index.nextRow > limits.maxRows) return failed(tableFull(limits.maxRows));
    if (this.#liveEdges > limits.maxEdges) return failed(knownEdgesFull(limits.maxEdges));
    const handed = neighbours.hand(batch.edges);
    const began = clock();
    measures.batch?.(began - (batch.arrived ?? began));
    const given = { numbers: batch.close(), ...handed.part };
    journal(packBatch(given));
    const training = trainer
      .train(given)
      .then((report) => {
        const ms = Math.max(0, clock() - began);
        measures.step?.(ms);
        this.busyMs += report.workMs ?? ms;
        if (report.ranked !== undefined) measures.ranked?.(report.ranked);
        summary.add(report);
        handed.trained(report.outgoing);
      })
      .catch(failed)
      .finally(() => this.#waiting.delete(training));
    this.#waiting.add(training);
    const most = neighbours.topic === '' ? MAX_WAITING : MAX_OF_SHARD;
    if (this.#waiting.size < (isTrained() ? most : MAX_BEHIND_JOURNAL)) return nextTurn();
    for (const oldest of this.#waiting)
      if (this.#waiting.size > (isTrained() ? 1 : MAX_BEHIND_JOURNAL - 1)) await oldest;
  }

  /** Resolves once all that was handed over is answered. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.#waiting);
  }
}
