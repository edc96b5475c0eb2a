import { FatalError } from '../../errors/errors.ts';
import type { Foreign, ForeignParts } from './foreign.ts';
import type { Trainer, TrainerSettings } from './trainer.ts';
import { type KernelMaker, TrainerCore } from './trainer-core.ts';

/**
 * A trainer in the calling thread: each call blocks until it is done. It is made at the first call, so that wrong settings are the
 * error of that call.
 */
export function localTrainer(
  settings: TrainerSettings,
  kernels: KernelMaker,
  foreignOf?: (parts: ForeignParts) => Foreign,
): Trainer {
  let core: TrainerCore | undefined;
  let stopped = false;
  const running = (): TrainerCore => {
    if (stopped) throw new FatalError('fault', 'the trainer was stopped; make a new one');
    core ??= new TrainerCore(settings, kernels, foreignOf);
    return core;
  };
  return {
    load: async (checkpoint) => {
      let hasEdges = true;
      for await (const block of checkpoint.blocks()) {
        running().load(block);
        hasEdges &&= block.edges !== undefined;
      }
      return hasEdges;
    },
    loadEdges: async (edges) => running().loadEdges(edges),
    start: async (state) => running().start(state),
    train: async (batch) => running().train(batch),
    state: async () => running().state(),
    due: async (options) => running().due(options),
    gave: async (due) => running().gave(due),
    republish: async (again) => running().republish(again),
    vectors: async (rows) => running().vectors(rows),
    snapshot: async () => running().snapshot(),
    slice: async (spent) => running().slice(spent),
    stop: async () => {
      stopped = true;
      await core?.stop();
    },
  };
}
