import fc from 'fast-check';
import { expect, test } from 'vitest';
import { CumulativeCounts } from '../../src/sampling/cumulative-counts.ts';

/** The definition: a list of all things. */
function things(counts: readonly number[]): { row: number; offset: number }[] {
  return counts.flatMap((count, row) => Array.from({ length: count }, (_, offset) => ({ row, offset })));
}

test('finds the row of every thing, after any changes', () => {
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
        const all = things(counts);
        expect(tree.total).toBe(all.length);
        const [offsets, found] = [Int32Array.from(all.keys()), new Int32Array(all.length)];
        tree.find(offsets, found);
        expect(all.map((_, k) => ({ row: found[k], offset: offsets[k] }))).toEqual(all);
      },
    ),
  );
});
