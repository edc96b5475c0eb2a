import { describe, expect, it } from 'vitest';
import { NO_TYPE } from '../../src/graph/checkpoint.ts';
import { Random } from '../../src/sampling/random.ts';
import { TypeRows } from '../../src/sampling/type-rows.ts';

describe('TypeRows', () => {
  it('keeps each type ascending through adding and dropping', () => {
    const rows = new TypeRows(2, 100);
    for (let row = 4; row < 60; row++) rows.add(row, row % 2);
    rows.drop(Int32Array.of(59, 4, 5, 30, 3));
    expect([...rows.rows(0)]).toEqual(
      [6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28].concat(Array.from({ length: 14 }, (_, i) => 32 + 2 * i)),
    );
    expect(rows.count(1)).toBe(26);
    expect(rows.rows(1)[0]).toBe(7);
    expect(rows.rows(1).at(-1)).toBe(57);
    expect(rows.typeOf(4)).toBe(NO_TYPE);
    expect(rows.typeOf(6)).toBe(0);
    rows.add(60, 1);
    expect(rows.rows(1).at(-1)).toBe(60);
  });

  it('draws the same after a restart without the dropped rows', () => {
    const lived = new TypeRows(1, 100);
    for (let row = 0; row < 50; row++) lived.add(row, 0);
    lived.drop(Int32Array.of(0, 17, 49));
    const restarted = new TypeRows(1, 100);
    for (let row = 0; row < 50; row++) if (![0, 17, 49].includes(row)) restarted.add(row, 0);
    const drawn = new Int32Array(200);
    lived.draw(0, Random.seeded(5), drawn);
    const again = new Int32Array(200);
    restarted.draw(0, Random.seeded(5), again);
    expect(drawn).toEqual(again);
    expect(drawn).not.toContain(17);
    expect(new Set(drawn).size).toBeGreaterThan(40);
  });

  it('inserts rows at their places, before, between and after others', () => {
    const rows = new TypeRows(2, 200);
    for (let row = 4; row < 60; row++) rows.add(row, row % 2);
    rows.drop(Int32Array.of(4, 5, 20, 21, 58, 59));
    rows.insert(Int32Array.of(4, 20, 21, 58, 59), 1);
    const odd = Array.from({ length: 26 }, (_, i) => 7 + 2 * i);
    const expected = [4, 20, 58, ...odd, 59].sort((a, b) => a - b);
    expect([...rows.rows(1)]).toEqual(expected);
    expect(expected.map((row) => rows.typeOf(row))).toEqual(expected.map(() => 1));
    rows.insert(Int32Array.of(), 0);
    rows.insert(
      Int32Array.from({ length: 100 }, (_, i) => 70 + i),
      0,
    );
    expect([rows.count(0), rows.rows(0)[0], rows.rows(0).at(-1)]).toEqual([25 + 100, 6, 169]);
    rows.add(170, 1);
    expect(rows.rows(1).at(-1)).toBe(170);
    expect(() => rows.insert(Int32Array.of(20), 0)).toThrow('row 20 is of type 1 already');
    expect(() => rows.insert(Int32Array.of(180), 2)).toThrow('row 180 has entity type 2; there are 2');
  });

  it('refuses an unknown type and a row out of order', () => {
    const rows = new TypeRows(1, 10);
    rows.add(5, 0);
    expect(() => rows.add(6, 1)).toThrow('row 6 has entity type 1; there are 1');
    expect(() => rows.add(5, 0)).toThrow('row 5 added after row 5');
  });
});
