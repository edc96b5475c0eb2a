import { expect, test } from 'vitest';
import { rateOf, sumOfSquares } from '../../src/model/adagrad.ts';

test("the rate is divided by the accumulator's root, and finite at 0", () => {
  expect(rateOf(16, 0.8)).toBeCloseTo(0.2, 8);
  expect(rateOf(0, 0.1)).toBe(0.1 / 1e-8);
});

test.each([0, 1, 2, 3, 4, 5, 8, 11])('all of %i numbers are in the sum of squares', (dim) => {
  const expected = (dim * (dim + 1) * (2 * dim + 1)) / 6;
  expect(sumOfSquares(Float64Array.from({ length: dim }, (_, k) => -(k + 1)))).toBe(expected);
});
