/** A scanning thread that dies at its first question, without a word. */
import { parentPort } from 'node:worker_threads';

parentPort.on('message', ({ call, method }) => {
  if (method !== 'table') process.exit(3);
  parentPort.postMessage({ call });
});
