/** Scanning threads of which the first one refuses at once; the other marks the table's memory when it answers, later. */
import { parentPort, workerData } from 'node:worker_threads';

let bytes;
parentPort.on('message', ({ kind, place }) => {
  if (kind === 'table') {
    bytes = new Uint8Array(place.codes.buffer);
  } else if (workerData.workspace === 0) {
    parentPort.postMessage({ kind: 'failed', error: { code: 'shape', message: 'no' } });
  } else {
    setTimeout(() => {
      bytes[0] = 1;
      parentPort.postMessage({ kind: 'top', lists: [] });
    }, 50);
  }
});
