import { FatalError } from '../../errors/errors.ts';
import type { Trainer, TrainerCalls, TrainerSettings } from '../../pipeline/training/trainer.ts';
import { buffersOf, ThreadCalls, threadEntry } from '../threads.ts';

/**
 * A trainer in a thread of its own: training never blocks the caller's event loop. A batch moves to the thread, and the caller has
 * it no more. A checkpoint is loaded from a file alone. `stop` waits for the calls in progress. entry: another one, for tests.
 */
export function threadTrainer(
  settings: TrainerSettings,
  entry = threadEntry(new URL('./worker.ts', import.meta.url)),
): Trainer {
  const dead = (reason: string, cause?: unknown) => {
    const message = `the trainer's thread died: ${reason}; start again from the stored state`;
    return new FatalError('thread', message, { cause });
  };
  const calls = new ThreadCalls<TrainerCalls>({ entry, data: settings, name: 'trainer', dead });
  return {
    load: async ({ file }) => {
      if (file === undefined)
        throw new FatalError('fault', "another thread can't load a checkpoint in memory");
      return calls.ask('load', file);
    },
    loadEdges: (edges) => calls.ask('loadEdges', edges),
    start: (state) => calls.ask('start', state),
    train: (batch) => calls.ask('train', batch, buffersOf(batch)),
    state: () => calls.ask('state', undefined),
    due: (options) => calls.ask('due', options, buffersOf(options.spent)),
    gave: (due) => calls.ask('gave', due),
    republish: (again) => calls.ask('republish', again),
    vectors: (rows) => calls.ask('vectors', rows),
    snapshot: () => calls.ask('snapshot', undefined),
    slice: (spent) => calls.ask('slice', spent, buffersOf(spent)),
    stop: () => calls.stop(new FatalError('fault', 'the trainer was stopped; make a new one')),
  };
}
