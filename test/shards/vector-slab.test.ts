import { expect, test } from 'vitest';
import { VectorSlab } from '../../src/shards/half-vectors.ts';

const of = (...numbers: number[]) => Float32Array.from(numbers);

test('gives the distance to the vector that was put last', () => {
  const slab = new VectorSlab(2, 10);
  expect(slab.distance(3, of(0, 0))).toBeUndefined();
  slab.put(3, of(1, 1));
  expect([slab.has(3), slab.has(2)]).toEqual([true, false]);
  expect(slab.distance(3, of(4, 5))).toBe(5);
  slab.put(3, of(4, 4));
  expect(slab.distance(3, of(4, 5))).toBe(1);
  expect(slab.distance(2, of(4, 5))).toBeUndefined();
});

test('measures from the vector as it is kept, in half precision', () => {
  const slab = new VectorSlab(1, 1);
  const number = Math.fround(1 / 3);
  slab.put(0, of(number));
  expect(slab.distance(0, of(number))).toBe(Math.abs(number - Math.f16round(1 / 3)));
  expect(slab.distance(0, of(number))).toBeGreaterThan(0);
});

test('forgets a row that is dropped, and gives its place to another', () => {
  const slab = new VectorSlab(2, 10);
  slab.put(3, of(3, 4));
  slab.put(4, of(6, 8));
  slab.drop(3);
  slab.drop(3);
  slab.drop(9);
  expect(slab.distance(3, of(3, 4))).toBeUndefined();
  slab.put(5, of(9, 12));
  slab.put(6, of(12, 16));
  slab.put(3, of(15, 20));
  expect([3, 4, 5, 6].map((row) => slab.distance(row, of(0, 0)))).toEqual([25, 10, 15, 20]);
});

test('keeps more vectors than one block has', () => {
  const rows = 9_000;
  const slab = new VectorSlab(1, rows);
  for (let row = 0; row < rows; row++) slab.put(row, of(row % 1_000));
  for (let row = 0; row < rows; row += 3) slab.drop(row);
  for (let row = 0; row < rows; row += 6) slab.put(row, of(-1 - row));
  for (let row = 0; row < rows; row++) {
    const expected = row % 3 > 0 ? row % 1_000 : row % 6 === 0 ? Math.f16round(1 + row) : undefined;
    expect(slab.distance(row, of(0)), `row ${row}`).toBe(expected);
  }
});
