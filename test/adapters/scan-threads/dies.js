/** A scanning thread that dies at its first question, with an error. */
import { parentPort } from 'node:worker_threads';

parentPort.on('message', ({ call, method }) => {
  if (method !== 'table') throw new Error('out of luck');
  parentPort.postMessage({ call });
});
