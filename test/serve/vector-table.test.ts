import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type EntityKey, entityKey } from '../../src/graph/entity.ts';
import { BLOCK_ROWS } from '../../src/kernels/scan/layout.ts';
import { VectorTable } from '../../src/serve/vector-table.ts';
import { tweet, user } from './serve-fixture.ts';

describe('VectorTable', () => {
  it('is as a map from names to vectors, with no more rows than names at once', () => {
    const step = fc.record({
      id: fc.nat(5),
      value: fc.option(fc.integer({ min: 1, max: 99 }), { nil: null }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 50 }), (steps) => {
        const table = new VectorTable('tweet', 1, 6);
        const plain = new Map<EntityKey, number>();
        let most = 0;
        for (const { id, value } of steps) {
          if (value === null) {
            expect(table.delete(tweet(id))).toBe(plain.delete(tweet(id)));
          } else {
            table.set(tweet(id), Float32Array.of(value));
            plain.set(tweet(id), value);
          }
          most = Math.max(most, plain.size);
          expect([...table.names()].sort()).toEqual([...plain.keys()].sort());
          expect([table.size, table.scan.rows]).toEqual([plain.size, most]);
          const rows = table.rowsOf([...plain.keys(), tweet('nobody')]);
          expect(new Set(rows).size).toBe(plain.size);
          for (const [name, row] of [...plain.keys()].map((name) => [name, table.rowOf(name)!] as const))
            expect([table.nameOf(row), table.vectorOf(name)?.[0]]).toEqual([name, plain.get(name)]);
        }
      }),
    );
  });

  it('tells entities of other types apart, and ids of any length and script', () => {
    const table = new VectorTable('tweet', 1, 9);
    const ids = ['1', '10', ':', 'tweet:1', 'ü', '日本', '😀', 'x'.repeat(256), 'é'.repeat(128)];
    ids.forEach((id, i) => void table.set(tweet(id), Float32Array.of(i)));
    expect(ids.map((id) => table.vectorOf(tweet(id))?.[0])).toEqual(ids.map((_, i) => i));
    expect([...table.names()]).toEqual(ids.map(tweet));
    const others = [
      entityKey('tweets', ''),
      entityKey('tweets', '1'),
      entityKey('twee', 't:1'),
      entityKey('users', '1'),
      user(1),
    ];
    const longer = [tweet('x'.repeat(257)), tweet('é'.repeat(129)), tweet('')];
    expect([...others, ...longer].map((name) => table.rowOf(name))).toEqual(Array(8).fill(undefined));
    expect(() => table.set(user(1), Float32Array.of(1))).toThrow('user:1 is no tweet');
    expect([table.size, table.scan.rows]).toEqual([9, 9]);
  });

  it('has an entity at every place, also where rows are free, and none when it is empty', () => {
    const table = new VectorTable('tweet', 1, 4);
    expect(table.nameAt(0.5)).toBeUndefined();
    for (let id = 0; id < 4; id++) table.set(tweet(id), Float32Array.of(id));
    expect([0, 0.25, 0.5, 0.999].map((place) => table.nameAt(place))).toEqual([0, 1, 2, 3].map(tweet));
    for (const id of [1, 3]) table.delete(tweet(id));
    expect([0, 0.25, 0.5, 0.999].map((place) => table.nameAt(place))).toEqual([0, 2, 2, 0].map(tweet));
  });

  it('marks what is idle as of now, whoever asked before', () => {
    const step = fc.record({
      do: fc.constantFrom('set', 'delete', 'active', 'ask', 'ask'),
      id: fc.nat(5),
      at: fc.nat(3),
      unknown: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60, size: 'max' }), (steps) => {
        const table = new VectorTable('tweet', 1, 6);
        const plain = new Map<EntityKey, number>();
        for (const { do: what, id, at, unknown } of steps) {
          const name = tweet(id);
          if (what === 'set') {
            table.set(name, Float32Array.of(1), () => at);
            if (!plain.has(name)) plain.set(name, at);
          } else if (what === 'delete') {
            table.delete(name);
            plain.delete(name);
          } else if (what === 'active') {
            table.active(name, at);
            if (plain.has(name)) plain.set(name, Math.max(at, plain.get(name)!));
          } else {
            const idle = [...plain].filter(([, active]) => (active === 0 ? unknown : active < at));
            const { marks, count } = table.idleRows(at, unknown);
            const marked = [...plain.keys()].filter((key) => marks[table.rowOf(key)!] === 1);
            expect([marked, count]).toEqual([idle.map(([key]) => key), idle.length]);
          }
        }
      }),
    );
  });

  it('makes marks again only where an event changes them', () => {
    const table = new VectorTable('tweet', 1, 3);
    for (const [id, at] of [3, 50].entries()) table.set(tweet(id), Float32Array.of(1), () => at);
    const { marks } = table.idleRows(10, false);
    table.active(tweet(1), 60);
    expect(table.idleRows(10, false).marks).toBe(marks);
    table.active(tweet(0), 60);
    expect(table.idleRows(10, false).count).toBe(0);
  });

  it('keeps nothing of a vector that it refuses', () => {
    const table = new VectorTable('tweet', 2, 1);
    expect(() => table.set(tweet(1), Float32Array.of(1))).toThrow(expect.objectContaining({ code: 'shape' }));
    expect([table.size, table.rowOf(tweet(1))]).toEqual([0, undefined]);
    table.set(tweet(2), Float32Array.of(1, 2));
    expect(() => table.set(tweet(3), Float32Array.of(1, 2))).toThrow(
      expect.objectContaining({ code: 'table-full' }),
    );
    expect(() => table.nameOf(1)).toThrow(TypeError);
  });

  it.each([1, 64, 4_096, 250_000])(
    'has as many rows as fit into the memory that is scanned, with vectors of %i numbers, whatever the limit',
    (dim) => {
      const { place, layout } = new VectorTable('tweet', dim, 1e9).scan;
      const bytes = place.maxRows * (layout.blockBytes / BLOCK_ROWS);
      expect(bytes).toBeGreaterThan(2 ** 31);
      expect(bytes).toBeLessThanOrEqual(2 ** 32);
    },
  );
});
