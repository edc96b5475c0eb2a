import { expect, test } from 'vitest';
import { EdgeFilter } from '../../../src/pipeline/reading/edge-filter.ts';

const EDGES = 300_000;
const id = (n: number) => `e\x00\x05${n}\x02\x01\x04${7 * n}`;

test('knows each edge that was added, while it grows by several parts, and takes few new ones for known', () => {
  const filter = new EdgeFilter(true);
  let [missed, mistaken] = [0, 0];
  for (let n = 0; n < EDGES; n++) {
    if (!filter.add(id(n))) mistaken++;
    if (filter.add(id(n)) || filter.add(id(n >> 1))) missed++;
  }
  expect([missed, mistaken < EDGES / 200]).toEqual([0, true]);
});
