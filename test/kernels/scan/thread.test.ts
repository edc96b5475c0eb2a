import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { expect, it } from 'vitest';
import { ScanTable } from '../../../src/kernels/scan/table.ts';
import { ReferenceScan } from './reference.ts';

it('another thread scans the same memories, after they grew too', async () => {
  const table = new ScanTable({ dim: 2, maxRows: 4_000, scanners: 2, pieceRows: 2_048 });
  table.write(0, Float32Array.of(1, 1));
  const thread = new Worker(new URL('./scan-thread.ts', import.meta.url));
  const ask = async (message: unknown) => {
    thread.postMessage(message);
    const [answer] = await once(thread, 'message');
    return answer;
  };
  try {
    expect(await ask(table.place)).toBe('ready');
    const vector = Float64Array.of(2, 2);
    for (const rows of [1, 5, 1_500, 4_000]) {
      for (let row = 0; row < rows; row++) table.write(row, Float32Array.of(row % 700, row % 11));
      const reference = new ReferenceScan(table, 'transe-l2');
      const query = { vector, leftOut: [1] };
      expect(await ask(vector)).toEqual(reference.top([query], 3));
    }
  } finally {
    await thread.terminate();
  }
});
