/** Scanning threads of which the first one refuses at once; the other marks the table's memory when it answers, later. */
import { parentPort, workerData } from 'node:worker_threads';

let bytes;
parentPort.on('message', ({ call, method, argument }) => {
  if (method === 'table') {
    bytes = new Uint8Array(argument.place.codes.buffer);
    parentPort.postMessage({ call });
  } else if (workerData.workspace === 0) {
    parentPort.postMessage({ call, error: { code: 'shape', message: 'no' } });
  } else {
    setTimeout(() => {
      bytes[0] = 1;
      parentPort.postMessage({ call, answer: [] });
    }, 50);
  }
});
