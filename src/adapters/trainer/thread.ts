import { FatalError } from '../../errors/errors.ts';
import type { Trainer, TrainerSettings } from '../../pipeline/training/trainer.ts';
import { ThreadCalls, threadEntry } from '../threads.ts';
import type { TrainerMethods } from './wire.ts';

/**
 * A trainer in a thread of its own: training never blocks the caller's event loop. Callers keep their arrays: the thread gets
 * copies. `stop` waits for the calls in progress. entry: another one, for tests.
 */
export function threadTrainer(
  settings: TrainerSettings,
  entry = threadEntry(new URL('./worker.ts', import.meta.url)),
): Trainer {
  const calls = new ThreadCalls<TrainerMethods>({ entry, data: settings, name: 'trainer', dead });
  return {
    loadRows: (rows) => calls.ask('loadRows', rows, 'copies'),
    loadEdges: (edges) => calls.ask('loadEdges', edges, 'copies'),
    start: (state) => calls.ask('start', state),
    train: (batch) => calls.ask('train', batch, 'copies'),
    checkpoint: (options) => calls.ask('checkpoint', options),
    readRows: (first, count) => calls.ask('readRows', { first, count }),
    stop: () => calls.stop(new FatalError('fault', 'the trainer was stopped; make a new one')),
  };
}

function dead(reason: string, cause?: unknown): FatalError {
  return new FatalError('thread', `the trainer's thread died: ${reason}; start again from the stored state`, {
    cause,
  });
}
