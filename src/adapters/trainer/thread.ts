import { FatalError } from '../../errors/errors.ts';
import type {
  Checkpoint,
  CheckpointOptions,
  HeldRows,
  LoadedRows,
  TrainBatch,
  Trainer,
  TrainerSettings,
  TrainReport,
  Triples,
} from '../../pipeline/training/trainer.ts';
import { ThreadCalls, threadEntry } from '../threads.ts';
import type { TrainerMethods } from './wire.ts';

/** A trainer in a thread of its own: training never blocks the caller's event loop. */
export function threadTrainer(settings: TrainerSettings): Trainer {
  return new ThreadTrainer(threadEntry(new URL('./worker.ts', import.meta.url)), settings);
}

/** See {@link threadTrainer}; exported for tests with other entries. Callers keep their arrays: the thread gets copies. */
export class ThreadTrainer implements Trainer {
  readonly #calls: ThreadCalls<TrainerMethods>;

  constructor(entry: URL, data: TrainerSettings) {
    this.#calls = new ThreadCalls({ entry, data, name: 'trainer', dead });
  }

  loadRows(rows: LoadedRows): Promise<void> {
    return this.#calls.ask('loadRows', rows, 'copies');
  }

  loadEdges(edges: Triples): Promise<void> {
    return this.#calls.ask('loadEdges', edges, 'copies');
  }

  start(state: { step: number; random: Uint32Array } | undefined): Promise<void> {
    return this.#calls.ask('start', state);
  }

  train(batch: TrainBatch): Promise<TrainReport> {
    return this.#calls.ask('train', batch, 'copies');
  }

  checkpoint(options: CheckpointOptions): Promise<Checkpoint> {
    return this.#calls.ask('checkpoint', options);
  }

  readRows(first: number, count: number): Promise<HeldRows> {
    return this.#calls.ask('readRows', { first, count });
  }

  /** Waits for the calls in progress, then ends the thread. */
  stop(): Promise<void> {
    return this.#calls.stop(new FatalError('fault', 'the trainer was stopped; make a new one'));
  }
}

function dead(reason: string, cause?: unknown): FatalError {
  return new FatalError('thread', `the trainer's thread died: ${reason}; start again from the stored state`, {
    cause,
  });
}
