/** A trainer's entry that answers its first call and dies in the second. */
import { parentPort } from 'node:worker_threads';

let calls = 0;
parentPort.on('message', () => {
  calls++;
  if (calls === 1) parentPort.postMessage({ kind: 'done' });
  else throw new Error('out of luck');
});
