import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Random } from '../../src/sampling/random.ts';
import { RowBag } from '../../src/sampling/row-bag.ts';

/** Every row that many draws give, ascending. */
function drawn(bag: RowBag, seed: number): number[] {
  const random = Random.seeded(seed);
  const rows = new Set<number>();
  for (let i = 0; i < 60 * bag.size; i++) rows.add(bag.draw(random));
  return [...rows].sort((a, b) => a - b);
}

test('holds what a set would hold after the same additions and removals, and draws any of it', () => {
  const step = fc.record({ adds: fc.boolean(), row: fc.nat(7) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40, size: 'max' }), fc.nat(), (steps, seed) => {
      const bag = new RowBag();
      const set = new Set<number>();
      for (const { adds, row } of steps) {
        if (adds) bag.add(row);
        else bag.remove(row);
        if (adds) set.add(row);
        else set.delete(row);
        expect(bag.size).toBe(set.size);
      }
      expect(drawn(bag, seed)).toEqual([...set].sort((a, b) => a - b));
    }),
    { numRuns: 60 },
  );
});

test('draws each row equally often', () => {
  const bag = new RowBag();
  for (const row of [3, 5, 8, 9]) bag.add(row);
  bag.add(5);
  bag.remove(3);
  const random = Random.seeded(1);
  const counts = new Map<number, number>();
  for (let i = 0; i < 3_000; i++) {
    const row = bag.draw(random);
    counts.set(row, (counts.get(row) ?? 0) + 1);
  }
  // Three standard deviations of 3,000 draws with a chance of a third.
  for (const row of [5, 8, 9]) expect(Math.abs(counts.get(row)! - 1_000), `row ${row}`).toBeLessThan(80);
});
