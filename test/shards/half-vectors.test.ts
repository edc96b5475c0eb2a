import { expect, test } from 'vitest';
import { HalfVectors } from '../../src/shards/half-vectors.ts';

test('gives rows and vectors in the order pushed, however many', () => {
  const list = new HalfVectors(3);
  const numbers = Array.from({ length: 200 }, (_, i) => [i, i / 8, -i]);
  for (const [row, vector] of numbers.entries()) list.push(row % 7, Float32Array.from(vector));
  expect(list.length).toBe(200);
  const { rows, halves } = list.take();
  expect([...rows]).toEqual(numbers.map((_, i) => i % 7));
  expect([...halves]).toEqual(numbers.flat());
  expect(list.length).toBe(0);
});

test('forgets a row, wherever it stands', () => {
  const list = new HalfVectors(2);
  for (const [i, row] of [7, 4, 7, 7, 5, 7].entries()) list.push(row, Float32Array.of(i, -i));
  list.forget(7);
  list.forget(9);
  list.push(7, Float32Array.of(8, 8));
  const { rows, halves } = list.take();
  expect([[...rows], [...halves]]).toEqual([
    [4, 5, 7],
    [1, -1, 4, -4, 8, 8],
  ]);
});

test('gives copies, and each vector once', () => {
  const list = new HalfVectors(2);
  const vector = Float16Array.of(1, 2);
  list.push(4, vector);
  vector.fill(9);
  const first = list.take();
  list.push(5, Float32Array.of(1 / 3, 6));
  const second = list.take();
  expect([[...first.rows], [...first.halves]]).toEqual([[4], [1, 2]]);
  expect([[...second.rows], [...second.halves]]).toEqual([[5], [Math.f16round(1 / 3), 6]]);
  expect(list.take().rows).toHaveLength(0);
});
