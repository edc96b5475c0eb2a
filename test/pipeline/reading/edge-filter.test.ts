import { expect, test } from 'vitest';
import { EdgeFilter } from '../../../src/pipeline/reading/edge-filter.ts';

const EDGES = 300_000;
const id = (n: number) => `e\x00\x05${n}\x02\x01\x04${7 * n}`;

test('every edge may be stored until all are known', () => {
  expect(new EdgeFilter().mayHave(id(1))).toBe(true);
});

test('knows each edge that was added, while it grows by several parts, and takes few others for one', () => {
  const filter = new EdgeFilter(true);
  expect(filter.mayHave(id(0))).toBe(false);
  let missed = 0;
  for (let n = 0; n < EDGES; n++) {
    filter.add(id(n));
    if (!filter.mayHave(id(n)) || !filter.mayHave(id(n >> 1))) missed++;
  }
  let mistaken = 0;
  for (let n = EDGES; n < 2 * EDGES; n++) if (filter.mayHave(id(n))) mistaken++;
  expect([missed, mistaken < EDGES / 200]).toEqual([0, true]);
});
