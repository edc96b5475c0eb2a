/** Entry of the trainer's thread: makes a trainer from `workerData` and answers the calls in order. */
import { workerData } from 'node:worker_threads';
import { createKernel } from '../../kernels/select.ts';
import { workspaceBytes } from '../../kernels/workspace.ts';
import { type KernelMaker, TrainerCore } from '../../pipeline/training/train.ts';
import type { TrainerSettings } from '../../pipeline/training/trainer.ts';
import { foreignOf } from '../../shards/foreign-rows.ts';
import { answerCalls } from '../threads.ts';
import { startSteppers } from './hogwild/stepper.ts';
import type { TrainerMethods } from './wire.ts';

const KERNELS: KernelMaker = {
  startSteppers,
  workspaceBytes,
  createKernel: (choice, table, model, limits) => createKernel(choice, table, model, limits, [process.cwd()]),
};

let made: TrainerCore | undefined;

/** The first call makes the trainer, so that wrong settings are the error of that call. */
function core(): TrainerCore {
  const settings: TrainerSettings = workerData;
  made ??= new TrainerCore(settings, KERNELS, foreignOf);
  return made;
}

answerCalls<TrainerMethods>('the trainer failed', {
  loadRows: (rows) => core().loadRows(rows),
  loadEdges: (edges) => core().loadEdges(edges),
  start: (state) => core().start(state),
  train: (batch) => core().train(batch),
  checkpoint: (options) => core().checkpoint(options),
  readRows: ({ first, count }) => core().readRows(first, count),
});
