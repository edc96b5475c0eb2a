/** Entry of the trainer's thread: answers the calls to a trainer with the settings of `workerData`, in order. */
import { getPriority, setPriority } from 'node:os';
import { workerData } from 'node:worker_threads';
import { createKernel } from '../../kernels/select.ts';
import { workspaceBytes } from '../../kernels/workspace.ts';
import { localTrainer } from '../../pipeline/training/local-trainer.ts';
import type { TrainerCalls } from '../../pipeline/training/trainer.ts';
import type { KernelMaker } from '../../pipeline/training/trainer-core.ts';
import { foreignOf } from '../../shards/foreign-rows.ts';
import { openCheckpoint } from '../checkpoint-file.ts';
import { answerCalls, threadCpuMs } from '../threads.ts';
import { startSteppers, type ThreadStepper } from './hogwild/stepper.ts';

/** Niceness of this thread, and of those that it starts, above the main thread's: where cores are few, that one gets a core first. */
const NICER = 5;
try {
  // Elsewhere than on Linux, niceness is of a whole process.
  if (process.platform === 'linux') setPriority(Math.min(19, getPriority() + NICER));
} catch {
  // A sandbox may forbid the call, and the trainer works without it.
}

let steppers: readonly ThreadStepper[] = [];

const KERNELS: KernelMaker = {
  startSteppers: (...given) => {
    steppers = startSteppers(...given);
    return steppers;
  },
  workspaceBytes,
  createKernel: (choice, table, model, limits) => createKernel(choice, table, model, limits, [process.cwd()]),
};

const trainer = localTrainer(workerData, KERNELS, foreignOf);
/** Processor time that batches took so far, ms: of this thread, and of the thread that took longest. Systems count it in ticks of some ms. */
let [ownMs, longestMs] = [0, 0];

answerCalls<TrainerCalls>('the trainer failed', {
  ...trainer,
  train: async (batch) => {
    const [began, before] = [threadCpuMs(), longestMs];
    const report = await trainer.train(batch);
    ownMs += threadCpuMs() - began;
    longestMs = Math.max(ownMs, ...steppers.map(({ cpuMs }) => cpuMs[0]!));
    return { ...report, workMs: longestMs - before };
  },
  load: async (file) => {
    await using checkpoint = await openCheckpoint(file);
    return await trainer.load(checkpoint);
  },
});
