/** Entry of the trainer's thread: answers the calls to a trainer with the settings of `workerData`, in order. */
import { workerData } from 'node:worker_threads';
import { createKernel } from '../../kernels/select.ts';
import { workspaceBytes } from '../../kernels/workspace.ts';
import { localTrainer } from '../../pipeline/training/local-trainer.ts';
import type { TrainerCalls } from '../../pipeline/training/trainer.ts';
import type { KernelMaker } from '../../pipeline/training/trainer-core.ts';
import { foreignOf } from '../../shards/foreign-rows.ts';
import { openCheckpoint } from '../checkpoint-file.ts';
import { answerCalls } from '../threads.ts';
import { startSteppers } from './hogwild/stepper.ts';

const KERNELS: KernelMaker = {
  startSteppers,
  workspaceBytes,
  createKernel: (choice, table, model, limits) => createKernel(choice, table, model, limits, [process.cwd()]),
};

const trainer = localTrainer(workerData, KERNELS, foreignOf);
answerCalls<TrainerCalls>('the trainer failed', {
  ...trainer,
  load: async (file) => {
    await using checkpoint = await openCheckpoint(file);
    return await trainer.load(checkpoint);
  },
});
