/** Entry of the trainer's thread: makes a trainer from `workerData` and answers the calls in order. */
import { parentPort, workerData } from 'node:worker_threads';
import { FatalError } from '../../errors/errors.ts';
import { createKernel } from '../../kernels/select.ts';
import { workspaceBytes } from '../../kernels/workspace.ts';
import { type KernelMaker, TrainerCore } from '../../pipeline/training/train.ts';
import { failed } from '../threads.ts';
import { startSteppers } from './hogwild/stepper.ts';
import { ScratchFile } from './scratch-file.ts';
import { buffersOf, type Call, type Reply, type Starting } from './wire.ts';

const port = parentPort;
if (port === null) {
  throw new FatalError('trainer-thread', 'worker.ts is the entry of a thread; use threadTrainer');
}

const KERNELS: KernelMaker = {
  startSteppers,
  workspaceBytes,
  createKernel: (choice, table, model, limits) => createKernel(choice, table, model, limits, [process.cwd()]),
};

let core: TrainerCore | undefined;

port.on('message', (call: Call) => {
  const reply = answer(call);
  port.postMessage(reply, reply.kind === 'failed' ? [] : buffersOf(reply));
});

function answer(call: Call): Reply {
  try {
    const { settings, scratchFolder }: Starting = workerData;
    // The first call makes the trainer, so that wrong settings are the error of that call.
    core ??= new TrainerCore(settings, KERNELS, () => new ScratchFile(scratchFolder));
    switch (call.method) {
      case 'train':
        return { kind: 'trained', report: core.train(call.argument) };
      case 'checkpoint':
        return { kind: 'checkpoint', checkpoint: core.checkpoint(call.argument) };
      case 'readRows':
        return { kind: 'held', held: core.readRows(call.argument.first, call.argument.count) };
      case 'loadRows':
        core.loadRows(call.argument);
        return { kind: 'done' };
      case 'loadEdges':
        core.loadEdges(call.argument);
        return { kind: 'done' };
      case 'start':
        core.start(call.argument);
        return { kind: 'done' };
    }
  } catch (error) {
    return failed(error, 'trainer-failed', 'the trainer failed');
  }
}
