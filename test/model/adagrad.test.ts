import { expect, test } from 'vitest';
import { adagradUpdate, intoUnitBall, moveOf } from '../../src/model/adagrad.ts';

const vector = (...numbers: number[]) => Float64Array.from(numbers);

test('one accumulator a row grows by the mean square and divides the rate', () => {
  // Mean of 9 and 16 is 12.5; 12.5 + 3.5 = 16, whose root is 4.
  const moved = vector(1, 1);
  expect(adagradUpdate(moved, vector(3, -4), 3.5, 0.8)).toBe(16);
  expect(moved[0]).toBeCloseTo(1 - 0.6, 7);
  expect(moved[1]).toBeCloseTo(1 + 0.8, 7);
});

test('a first step has the length of the rate times √dim, whatever the gradient', () => {
  const moved = vector(0, 0, 0, 0);
  adagradUpdate(moved, vector(1e-3, 1e-3, -1e-3, 1e-3), 0, 0.1);
  expect(Math.hypot(...moved)).toBeCloseTo(0.2, 5);
});

test('only vectors longer than 1 are scaled', () => {
  const long = vector(3, 4);
  intoUnitBall(long);
  expect(long[0]).toBeCloseTo(0.6, 12);
  expect(long[1]).toBeCloseTo(0.8, 12);
  const short = vector(0.3, 0.4);
  intoUnitBall(short);
  expect([...short]).toEqual([0.3, 0.4]);
});

test('a move has its length, and never 0', () => {
  expect(moveOf(vector(1, 1), vector(4, 5))).toBe(5);
  expect(moveOf(vector(1, 1), vector(1, 1))).toBe(1e-12);
});
