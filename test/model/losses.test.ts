import { expect, test } from 'vitest';
import { LOSSES } from '../../src/model/losses.ts';

const scores = (...numbers: number[]) => Float64Array.from(numbers);

test('softmax: loss and weights as worked out by hand', () => {
  const weights = new Float64Array(2);
  // e^s = 3 against 1 and 2.
  const plain = LOSSES.softmax(
    Math.log(3),
    scores(0, Math.log(2)),
    { margin: 9, negativeWeight: 1 },
    weights,
  );
  expect(plain.loss).toBeCloseTo(Math.log(2), 12);
  expect(plain.positiveWeight).toBeCloseTo(-1 / 2, 12);
  expect(weights[0]).toBeCloseTo(1 / 6, 12);
  expect(weights[1]).toBeCloseTo(2 / 6, 12);

  // The same with negatives of weight 2: 3 / (3 + 2 · 3).
  const doubled = LOSSES.softmax(
    Math.log(3),
    scores(0, Math.log(2)),
    { margin: 0, negativeWeight: 2 },
    weights,
  );
  expect(doubled.loss).toBeCloseTo(Math.log(3), 12);
  expect(doubled.positiveWeight).toBeCloseTo(-2 / 3, 12);
  expect(weights[0]).toBeCloseTo(2 / 9, 12);
  expect(weights[1]).toBeCloseTo(4 / 9, 12);
});

test('softmax: a constant added to all scores changes nothing, however large', () => {
  const weights = new Float64Array(1);
  const settings = { margin: 0, negativeWeight: 1 };
  const { loss, positiveWeight } = LOSSES.softmax(5000, scores(5000), settings, weights);
  expect(loss).toBeCloseTo(Math.log(2), 12);
  expect(positiveWeight).toBe(-0.5);
  expect(weights[0]).toBe(0.5);
});

test('softmax: no loss without negatives', () => {
  const { loss, positiveWeight } = LOSSES.softmax(
    -7,
    scores(),
    { margin: 0, negativeWeight: 1 },
    new Float64Array(0),
  );
  expect(loss).toBe(0);
  expect(Math.abs(positiveWeight)).toBe(0);
});

test('logistic: loss and weights as worked out by hand; all negatives weigh as much as the positive', () => {
  const weights = new Float64Array(2);
  // With the margin of 1: σ(ln 3) = 3/4; negatives σ(−ln 3) = 1/4 and σ(0) = 1/2.
  const { loss, positiveWeight } = LOSSES.logistic(
    Math.log(3) - 1,
    scores(-Math.log(3) - 1, -1),
    { margin: 1, negativeWeight: 5 },
    weights,
  );
  expect(loss).toBeCloseTo(Math.log(4 / 3) + (Math.log(4 / 3) + Math.log(2)) / 2, 12);
  expect(positiveWeight).toBeCloseTo(-1 / 4, 12);
  expect(weights[0]).toBeCloseTo(1 / 8, 12);
  expect(weights[1]).toBeCloseTo(1 / 4, 12);
});

test('logistic: without negatives, only the term of the positive', () => {
  const settings = { margin: 0, negativeWeight: 1 };
  const { loss, positiveWeight } = LOSSES.logistic(0, scores(), settings, new Float64Array(0));
  expect(loss).toBeCloseTo(Math.log(2), 12);
  expect(positiveWeight).toBe(-0.5);
});

test.each(['softmax', 'logistic'] as const)('%s: weights of far negatives are exactly 0', (name) => {
  const weights = new Float64Array(3).fill(7);
  LOSSES[name](0, scores(-25.1, -1e6, -24.9), { margin: 0, negativeWeight: 1 }, weights);
  expect([...weights.subarray(0, 2)]).toEqual([0, 0]);
  expect(weights[2]).toBeGreaterThan(0);
});

test.each(['softmax', 'logistic'] as const)('%s: a positive far below is pulled with full weight', (name) => {
  const weights = new Float64Array(1);
  const settings = { margin: 0, negativeWeight: 1 };
  const { loss, positiveWeight } = LOSSES[name](-1e6, scores(1e6), settings, weights);
  expect(positiveWeight).toBe(-1);
  expect(weights[0]).toBe(1);
  expect(loss).toBe(2e6);
});
