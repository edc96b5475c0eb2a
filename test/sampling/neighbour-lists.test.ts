import fc from 'fast-check';
import { expect, test } from 'vitest';
import { NeighbourLists } from '../../src/sampling/neighbour-lists.ts';

const ROWS = 8;

type Entry = readonly [neighbour: number, relation: number];

function entriesOf(lists: NeighbourLists, row: number): Entry[] {
  const from = lists.slot(row);
  return Array.from({ length: lists.count(row) }, (_, i) => [
    lists.neighbours[from + i]!,
    lists.relations[from + i]!,
  ]);
}

const inOrder = (entries: readonly Entry[]) => entries.toSorted(([a, of], [b, other]) => a - b || of - other);

const change = fc.record({
  row: fc.nat(ROWS - 1),
  neighbour: fc.nat(40),
  relation: fc.nat(1),
  comes: fc.boolean(),
});

test.each([true, false])('lists agree with a map; sorted: %s', (sorted) => {
  fc.assert(
    fc.property(fc.array(change, { maxLength: 300, size: 'max' }), (changes) => {
      const lists = new NeighbourLists(ROWS, { sorted });
      const loaded = new NeighbourLists(ROWS, { sorted });
      const twin = Array.from({ length: ROWS }, () => new Map<string, Entry>());
      for (const { row, neighbour, relation, comes } of changes) {
        const name = `${neighbour} ${relation}`;
        expect(lists.find(row, neighbour, relation) >= 0).toBe(twin[row]?.has(name));
        if (comes === twin[row]?.has(name)) continue;
        if (comes) {
          lists.add(row, neighbour, relation);
          twin[row]?.set(name, [neighbour, relation]);
        } else {
          expect(lists.remove(row, neighbour, relation)).toBe(true);
          twin[row]?.delete(name);
        }
      }
      twin.forEach((entries, row) => {
        for (const [neighbour, relation] of entries.values()) loaded.load(row, neighbour, relation);
      });
      loaded.settle();
      twin.forEach((entries, row) => {
        const expected = inOrder([...entries.values()]);
        for (const each of [lists, loaded]) {
          const found = entriesOf(each, row);
          expect(sorted ? found : inOrder(found)).toEqual(expected);
        }
      });
    }),
    { numRuns: 300 },
  );
});

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
  expect(entriesOf(lists, 1)).toEqual(Array.from({ length: 1_000 }, (_, i) => [i, 0]));
});
