import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { NameIndex } from '../../src/graph/name-index.ts';

const padded = (name: Uint8Array) => Buffer.concat([Buffer.of(9, 9, 9), name, Buffer.of(7)]);
const find = (index: NameIndex, name: Uint8Array) => index.find(padded(name), 3, 3 + name.length);
const add = (index: NameIndex, name: Uint8Array, row: number) =>
  index.add(padded(name), 3, 3 + name.length, row);

describe('NameIndex', () => {
  test('agrees with a Map through growth and removals, with rows used again', () => {
    // Some of 258 bytes.
    const lengthOf = (i: number) => (i % 50 === 0 ? 258 : 1 + (i % 97));
    const names = Array.from({ length: 6_000 }, (_, i) => Buffer.from(`${i}`.padStart(lengthOf(i), 'x')));
    const deed = fc.record({
      adds: fc.boolean(),
      first: fc.nat(5_000),
      count: fc.integer({ min: 1, max: 4_000 }),
      step: fc.integer({ min: 1, max: 3 }),
    });
    fc.assert(
      fc.property(fc.array(deed, { maxLength: 12 }), (deeds) => {
        const index = new NameIndex();
        const map = new Map<number, number>();
        const freed: number[] = [];
        for (const { adds, first, count, step } of deeds) {
          for (let i = first; i < Math.min(first + count, names.length); i += step) {
            const known = map.get(i);
            if (adds && known === undefined) {
              const row = freed.pop() ?? map.size;
              add(index, names[i]!, row);
              map.set(i, row);
            } else if (!adds && known !== undefined) {
              index.remove(known);
              map.delete(i);
              freed.push(known);
            }
          }
          const wrong = names.findIndex((name, i) => index.find(name, 0, name.length) !== (map.get(i) ?? -1));
          const misnamed = [...map].find(([i, row]) => index.nameAt(row)?.equals(names[i]!) !== true);
          const left = freed.filter((row) => index.has(row) || index.nameAt(row) !== undefined);
          expect([index.size, wrong, misnamed, left]).toEqual([map.size, -1, undefined, []]);
        }
      }),
      { numRuns: 30 },
    );
  });

  test('gives the name of each row, and removes only one name of a chain of slots', () => {
    const index = new NameIndex();
    const names = ['costarring', 'liquid', 'altarage', 'zinke'].map((name) => Buffer.from(name));
    for (const [row, name] of names.entries()) add(index, name, row);
    index.remove(0);
    index.remove(0);
    index.remove(99);
    expect(names.map((name) => find(index, name))).toEqual([-1, 1, 2, 3]);
    expect([0, 1, 99].map((row) => index.nameAt(row)?.toString())).toEqual([undefined, 'liquid', undefined]);
    add(index, names[0]!, 8);
    expect(names.map((name) => find(index, name))).toEqual([8, 1, 2, 3]);
    expect([index.size, index.has(8), index.has(0)]).toEqual([4, true, false]);
  });
});
