import fc from 'fast-check';
import { expect, test } from 'vitest';
import { CumulativeCounts } from '../../src/sampling/cumulative-counts.ts';

/** The definition: a list of all things. */
function things(counts: readonly number[]): { row: number; offset: number }[] {
  return counts.flatMap((count, row) => Array.from({ length: count }, (_, offset) => ({ row, offset })));
}

test('finds the row of every thing, after changes and after a fill', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 20 }),
      fc.array(fc.tuple(fc.nat(19), fc.integer({ min: -2, max: 4 })), { maxLength: 40 }),
      (rows, changes) => {
        const counts = Array.from({ length: rows }, () => 0);
        const tree = new CumulativeCounts(rows);
        for (const [at, change] of changes) {
          const row = at % rows;
          if (counts[row]! + change < 0) continue;
          counts[row]! += change;
          tree.add(row, change);
        }
        const filled = new CumulativeCounts(rows);
        // A fill replaces the counts before it.
        filled.add(0, 3);
        filled.fill((row) => counts[row]!);
        // So does one of the rows in use alone, to which the last row is added afterwards.
        const last = rows - 1;
        const inUse = counts.findLastIndex((count, row) => count > 0 && row < last) + 1;
        const used = new CumulativeCounts(rows);
        if (inUse > 0) used.add(inUse - 1, 5);
        used.fill((row) => counts[row]!, inUse);
        used.add(last, counts[last]!);
        const all = things(counts);
        for (const each of [tree, filled, used]) {
          expect(each.total).toBe(all.length);
          expect(all.map((_, k) => each.find(k))).toEqual(all);
        }
      },
    ),
  );
});
