import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { NameIndex } from '../../src/graph/name-index.ts';

describe('NameIndex', () => {
  test('agrees with a Map through growth and removals, with rows used again', () => {
    // Some of 258 bytes.
    const lengthOf = (i: number) => (i % 50 === 0 ? 258 : 1 + (i % 97));
    const names = Array.from({ length: 6_000 }, (_, i) => Buffer.from(`${i}`.padStart(lengthOf(i), 'x')));
    /** Where names lie: among other bytes. */
    const around = names.map((name) => Buffer.concat([Buffer.of(9, 9, 9), name, Buffer.of(7)]));
    const deed = fc.record({
      adds: fc.boolean(),
      first: fc.nat(5_000),
      count: fc.integer({ min: 1, max: 4_000 }),
      step: fc.integer({ min: 1, max: 3 }),
    });
    fc.assert(
      fc.property(
        fc.array(deed, { maxLength: 12 }),
        fc.constantFrom(0, 1, 2_000, 9_000),
        (deeds, expected) => {
          const index = new NameIndex(expected);
          const map = new Map<number, number>();
          const freed: number[] = [];
          for (const { adds, first, count, step } of deeds) {
            for (let i = first; i < Math.min(first + count, names.length); i += step) {
              const known = map.get(i);
              const added = (row: number) => index.add(around[i]!, 3, 3 + names[i]!.length, row);
              if (adds && known === undefined) {
                const row = freed.pop() ?? map.size;
                expect(added(row)).toBe(-1);
                map.set(i, row);
              } else if (adds && known !== undefined) {
                // A name that is there stays where it is.
                expect(added(names.length)).toBe(known);
              } else if (!adds && known !== undefined) {
                // What is gone already stays so.
                for (let time = 0; time < 2; time++) index.remove(known);
                map.delete(i);
                freed.push(known);
              }
            }
            const wrong = names.findIndex(
              ({ length }, i) => index.find(around[i]!, 3, 3 + length) !== (map.get(i) ?? -1),
            );
            const misnamed = [...map].find(([i, row]) => index.nameAt(row)?.equals(names[i]!) !== true);
            const left = [...freed, names.length].filter(
              (row) => index.has(row) || index.nameAt(row) !== undefined,
            );
            expect([index.size, wrong, misnamed, left]).toEqual([map.size, -1, undefined, []]);
          }
        },
      ),
      { numRuns: 30 },
    );
  });
});
