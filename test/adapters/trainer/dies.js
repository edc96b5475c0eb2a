/** A trainer's entry that answers its first call and dies in the second. */
import { parentPort } from 'node:worker_threads';

let calls = 0;
parentPort.on('message', ({ call }) => {
  calls++;
  if (calls === 1) parentPort.postMessage({ call });
  else throw new Error('out of luck');
});
