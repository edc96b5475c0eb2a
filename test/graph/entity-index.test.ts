import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type EntityKey, entityKey } from '../../src/graph/entity.ts';
import { EntityIndex } from '../../src/graph/entity-index.ts';
import { entity, recordOf, user } from './graph-fixture.ts';

describe('EntityIndex', () => {
  test('keeps first and last times in any order of arrival, and counts trained edges', () => {
    const index = new EntityIndex(0);
    const row = index.add(user('a'), 50);
    index.saw(row, 70, true);
    index.saw(row, 40, false);
    index.saw(row, 60, true);
    expect(recordOf(index, row)).toEqual({ key: 'user:a', row: 0, updates: 2, firstSeen: 40, lastSeen: 70 });
    index.reset(row, 90);
    expect(recordOf(index, row)).toEqual({ key: 'user:a', row: 0, updates: 0, firstSeen: 90, lastSeen: 90 });
    for (const note of [() => index.saw(9, 1, true), () => index.reset(9, 1)]) note();
    expect(index.size).toBe(1);
  });

  test('uses a freed row again after one more commit, the lowest row first', () => {
    const index = new EntityIndex(4);
    const rows = ['a', 'b', 'c', 'd'].map((id) => index.add(user(id), 1));
    expect(rows).toEqual([4, 5, 6, 7]);
    index.remove(user('c'));
    index.remove(user('a'));
    expect([index.freeRows, index.add(user('e'), 1)]).toEqual([0, 8]);
    index.free.cut();
    expect(index.free.freed).toEqual([6, 4]);
    index.remove(user('b'));
    expect([index.freeRows, index.add(user('f'), 1)]).toEqual([0, 9]);
    index.free.cut();
    expect(index.free.freed).toEqual([5]);
    expect(index.freeRows).toBe(2);
    expect([index.add(user('g'), 1), index.keyAt(4)]).toEqual([4, 'user:g']);
    index.free.cut();
    expect(index.free.freed).toEqual([]);
    expect(['h', 'i', 'j'].map((id) => index.add(user(id), 1))).toEqual([5, 6, 10]);
    expect([index.freeRows, index.nextRow, index.size]).toEqual([0, 11, 7]);
  });

  test('a restarted index has the free rows of an index that kept running', () => {
    const index = new EntityIndex(10, ['user'], { firstRow: 4, freed: [5] });
    index.put(user('a'), entity(user('a'), 8));
    // Row 8 is in use, and the last commit freed row 5.
    expect([index.freeRows, index.add(user('b'), 1), index.add(user('c'), 1)]).toEqual([4, 4, 6]);
    index.free.cut();
    expect(['d', 'e', 'f', 'g'].map((id) => index.add(user(id), 1))).toEqual([5, 7, 9, 10]);
  });

  test('agrees with a Map of strings for any ids, through erasures', () => {
    const id = fc.oneof(
      fc.constantFrom('a', 'b', 'ab', '1:2', 'é', '\u{1f426}', 'x'.repeat(256), 'é'.repeat(128)),
      fc.string({ unit: 'binary', minLength: 1, maxLength: 4 }),
    );
    const key = fc
      .tuple(fc.constantFrom('user', 'tweet', 'us', 'ad'), id)
      .map(([type, of]) => entityKey(type, of));
    const deed = fc.tuple(fc.constantFrom('add', 'add', 'remove', 'remove', 'cut'), key);
    fc.assert(
      fc.property(fc.array(deed, { maxLength: 60 }), (deeds) => {
        const index = new EntityIndex(4, ['tweet', 'user']);
        const twin = new Map<EntityKey, number>();
        for (const [what, of] of deeds) {
          if (what === 'cut') index.free.cut();
          else if (what === 'remove') {
            index.remove(of);
            twin.delete(of);
          } else if (!twin.has(of)) twin.set(of, index.add(of, 1));
        }
        for (const [, of] of deeds) {
          const row = twin.get(of);
          expect(index.find(of)).toBe(row);
          if (row !== undefined) expect(index.keyAt(row)).toBe(of);
        }
        expect(index.size).toBe(twin.size);
        const rows = Array.from({ length: index.nextRow }, (_, row) => index.keyAt(row));
        const into = Buffer.alloc(index.mostKeyBytes);
        for (const [row, key = ''] of rows.entries())
          expect(into.toString('utf8', 0, index.writeKey(row, into, 0))).toBe(key);
        expect(rows.filter((each) => each !== undefined).sort()).toEqual([...twin.keys()].sort());
      }),
    );
  });

  test('removes the names of erased entities, not only their rows', () => {
    const index = new EntityIndex(0);
    const keyOf = (n: number) => user(`${n}`.padStart(100, '0'));
    for (let n = 0; n < 100_000; n++) {
      index.add(keyOf(n), 1);
      if (n >= 50) index.remove(keyOf(n - 50));
    }
    expect(index.size).toBe(50);
    expect(index.names.bytes).toBeLessThan(4_000_000);
    expect(index.find(keyOf(99_960))).toBe(99_960);
    expect(index.find(keyOf(99_940))).toBeUndefined();
  });
});
