/** Entry of a stepper's thread: steps on the lanes of `workerData` in turn, until the thread is terminated. */
import { workerData } from 'node:worker_threads';
import { instantiate } from '../../../kernels/instance.ts';
import { packError, threadCpuMs } from '../../threads.ts';
import {
  BEGUN,
  EDGES,
  FAILED,
  FREE,
  LHS_COUNT,
  RHS_COUNT,
  rateIn,
  STATE,
  type StepperData,
  setState,
} from './lane.ts';

const { name, table, model, lanes, cpuMs, failures }: StepperData = workerData;

try {
  serve();
} catch (error) {
  failures.postMessage(packError(error, 'a step failed'));
  for (const { words } of lanes) setState(words, FAILED);
  throw error;
}

function serve(): never {
  const served = lanes.map(({ workspace, words }) => ({
    words,
    rate: rateIn(words),
    step: instantiate(name, table, model, workspace).step,
  }));
  for (const { words } of served) setState(words, FREE);
  for (;;) {
    for (const { words, rate, step } of served) {
      while (Atomics.load(words, STATE) !== BEGUN) Atomics.wait(words, STATE, FREE);
      step(words[EDGES]!, words[LHS_COUNT]!, words[RHS_COUNT]!, rate[0]!);
      cpuMs[0] = threadCpuMs();
      setState(words, FREE);
    }
  }
}
