/** A scanning thread that dies at its first question: with an error, or, where the build is wasm-relaxed, without a word. */
import { parentPort, workerData } from 'node:worker_threads';

parentPort.on('message', ({ call, method }) => {
  if (method === 'table') return parentPort.postMessage({ call });
  if (workerData.build === 'wasm-relaxed') process.exit(3);
  throw new Error('out of luck');
});
