import { expect, test } from 'vitest';
import { NeighbourLists } from '../../src/sampling/neighbour-lists.ts';

test('freed blocks are used again, and the arrays grow only for new ones', () => {
  const lists = new NeighbourLists(2, { sorted: true });
  for (let round = 0; round < 50; round++) {
    for (let i = 0; i < 400; i++) lists.add(round % 2, i, 0);
    for (let i = 0; i < 400; i++) lists.remove(round % 2, i, 0);
  }
  // One block each of 1, 2, 4, … 512 slots.
  expect(lists.neighbours.length).toBe(1_024);
  for (let i = 0; i < 1_000; i++) lists.add(1, i, 0);
  expect(lists.neighbours.length).toBeGreaterThanOrEqual(2_047);
  const from = lists.slot(1);
  const neighbours = [...lists.neighbours.subarray(from, from + lists.count(1))];
  expect(neighbours).toEqual(Array.from({ length: 1_000 }, (_, i) => i));
});
