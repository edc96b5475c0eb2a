import { parentPort } from 'node:worker_threads';
import { type ScanPlace, ScanRows } from '../../../src/kernels/scan/rows.ts';
import { Scanner } from '../../../src/kernels/scan/scanner.ts';

let scanner: Scanner | undefined;
// The first message is the place of the vectors, and each later one a query.
parentPort?.on('message', (message: ScanPlace | Float64Array) => {
  if (!(message instanceof Float64Array)) {
    scanner = new Scanner(new ScanRows(message), 'transe-l2', 'wasm-plain', 1);
    parentPort?.postMessage('ready');
    return;
  }
  const query = { vector: message, leftOut: [1] };
  parentPort?.postMessage(scanner?.top([query], 3));
});
