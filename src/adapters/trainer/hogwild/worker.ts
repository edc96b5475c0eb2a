/** Entry of a stepper's thread: steps on the lanes of `workerData` in turn, until the thread is terminated. */
import { workerData } from 'node:worker_threads';
import { instantiate } from '../../../kernels/instance.ts';
import { packError, threadCpuMs } from '../../threads.ts';
import {
  BEGUN,
  EDGES,
  FAILED,
  FREE,
  HELPED,
  LHS_COUNT,
  NO_SIDE,
  RHS_COUNT,
  rateIn,
  SIDE,
  STATE,
  type StepperData,
  setState,
  tell,
  waitWhile,
} from './lane.ts';

const { name, table, model, lanes, words: own, helping, cpuMs, failures }: StepperData = workerData;

try {
  serve();
} catch (error) {
  failures.postMessage(packError(error, 'a step failed'));
  for (const { words } of lanes) setState(words, FAILED);
  tell(own);
  throw error;
}

function serve(): never {
  const served = lanes.map(({ workspace, words }) => ({
    ...{ words, scratch: workspace.scratch, rate: rateIn(words) },
    kernel: instantiate(name, table, model, workspace),
  }));
  for (const { words } of served) setState(words, FREE);
  for (;;) {
    for (const [lane, { words, scratch, rate, kernel }] of served.entries()) {
      while (Atomics.load(words, STATE) !== BEGUN) waitWhile(words, STATE, FREE);
      const [edges, lhsCount, rhsCount] = [words[EDGES]!, words[LHS_COUNT]!, words[RHS_COUNT]!];
      kernel.begin(edges);
      Atomics.store(own, SIDE, 1 + lane);
      tell(own);
      kernel.compareSide(0, edges, rhsCount);
      kernel.sumSide(0, edges, rhsCount, scratch.anchors, scratch.positives);
      const isMine = Atomics.compareExchange(own, SIDE, 1 + lane, NO_SIDE) === 1 + lane;
      if (isMine) kernel.compareSide(1, edges, lhsCount);
      else while (Atomics.load(own, SIDE) === HELPED) waitWhile(own, SIDE, HELPED);
      const { anchors, positives } = isMine ? scratch : helping;
      kernel.sumSide(1, edges, lhsCount, anchors, positives);
      kernel.update(rate[0]!);
      cpuMs[0] = threadCpuMs();
      Atomics.store(words, STATE, FREE);
      // Where the next chunk is there, its second side is the trainer's next event.
      if (Atomics.load(served[(1 + lane) % served.length]!.words, STATE) !== BEGUN) tell(own);
    }
  }
}
