import fc from 'fast-check';
import { expect, test } from 'vitest';
import { NeighbourLists } from '../../src/sampling/neighbour-lists.ts';
import { MemoryFile } from './memory-file.ts';

const ROWS = 8;
const PAGE_SLOTS = 4;
/** Four pages in memory, the minimum. */
const LEAST = 1;

type Entry = readonly [neighbour: number, relation: number];

/** The entries of a row, read run by run. */
function entriesOf(lists: NeighbourLists, row: number): Entry[] {
  const entries: Entry[] = [];
  const count = lists.count(row);
  for (let from = 0; from < count; ) {
    const slot = lists.slot(row, from);
    const run = lists.run(slot, count - from);
    for (let i = 0; i < run; i++) entries.push([lists.neighbours[slot + i]!, lists.relations[slot + i]!]);
    from += run;
  }
  return entries;
}

const inOrder = (entries: readonly Entry[]) => entries.toSorted(([a, of], [b, other]) => a - b || of - other);

const change = fc.record({
  row: fc.nat(ROWS - 1),
  neighbour: fc.nat(40),
  relation: fc.nat(1),
  comes: fc.boolean(),
});

test.each([true, false])(
  'lists over several pages, most of them in a file, agree with a map; sorted: %s',
  (sorted) => {
    let moved = 0;
    fc.assert(
      fc.property(fc.array(change, { maxLength: 300, size: 'max' }), (changes) => {
        const file = new MemoryFile();
        const paged = { pageSlots: PAGE_SLOTS, inMemory: { bytes: LEAST, file: () => file } };
        const lists = new NeighbourLists(ROWS, { sorted, ...paged });
        const loaded = new NeighbourLists(ROWS, {
          sorted,
          ...paged,
          inMemory: { bytes: LEAST, file: () => new MemoryFile() },
        });
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
        moved += file.reads;
      }),
      { numRuns: 300 },
    );
    expect(moved).toBeGreaterThan(1_000);
  },
);

test('without a limit no page is written to a file, and freed blocks are used again', () => {
  const lists = new NeighbourLists(2, { sorted: true, pageSlots: PAGE_SLOTS });
  for (let round = 0; round < 50; round++) {
    for (let i = 0; i < 20; i++) lists.add(round % 2, i, 0);
    for (let i = 0; i < 20; i++) lists.remove(round % 2, i, 0);
  }
  // One block each of 1, 2, 4, 8, 16 and 32 slots, and the growth of frames.
  expect(lists.neighbours.length).toBeLessThanOrEqual(2 * 64);
});
