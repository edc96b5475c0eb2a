/** A stepper's entry that never steps. */
import { workerData } from 'node:worker_threads';
import { FREE, setState } from '../../../../src/adapters/trainer/hogwild/lane.ts';

for (const { words } of workerData.lanes) setState(words, FREE);
Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
