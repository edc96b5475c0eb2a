import { expect, test } from 'vitest';
import { LOSSES } from '../../src/model/losses.ts';

/** The loss of a positive and negatives of these scores, and the weights of all. */
function lossOf(
  name: keyof typeof LOSSES,
  positive: number,
  negatives: readonly number[],
  { margin = 0, negativeWeight = 1 } = {},
) {
  const weights = new Float64Array(negatives.length).fill(7);
  const settings = { margin, negativeWeight };
  return {
    ...LOSSES[name](positive, Float64Array.from(negatives), settings, weights),
    weights: [...weights],
  };
}

const closeTo = (...numbers: number[]) => numbers.map((each) => expect.closeTo(each, 12));

test('softmax: loss and weights as worked out by hand', () => {
  // e^s = 3 against 1 and 2.
  const plain = lossOf('softmax', Math.log(3), [0, Math.log(2)], { margin: 9 });
  expect([plain.loss, plain.positiveWeight]).toEqual(closeTo(Math.log(2), -1 / 2));
  expect(plain.weights).toEqual(closeTo(1 / 6, 2 / 6));
  // The same with negatives of weight 2: 3 / (3 + 2 · 3).
  const doubled = lossOf('softmax', Math.log(3), [0, Math.log(2)], { negativeWeight: 2 });
  expect([doubled.loss, doubled.positiveWeight]).toEqual(closeTo(Math.log(3), -2 / 3));
  expect(doubled.weights).toEqual(closeTo(2 / 9, 4 / 9));
});

test('softmax: a constant added to all scores changes nothing, however large', () => {
  const { loss, positiveWeight, weights } = lossOf('softmax', 5000, [5000]);
  expect([loss, positiveWeight, ...weights]).toEqual([expect.closeTo(Math.log(2), 12), -0.5, 0.5]);
});

test('softmax: no loss without negatives', () => {
  const { loss, positiveWeight } = lossOf('softmax', -7, []);
  expect([loss, Math.abs(positiveWeight)]).toEqual([0, 0]);
});

test('logistic: loss and weights as worked out by hand; all negatives weigh as much as the positive', () => {
  // With the margin of 1: σ(ln 3) = 3/4; negatives σ(−ln 3) = 1/4 and σ(0) = 1/2.
  const settings = { margin: 1, negativeWeight: 5 };
  const { loss, positiveWeight, weights } = lossOf(
    'logistic',
    Math.log(3) - 1,
    [-Math.log(3) - 1, -1],
    settings,
  );
  const expected = Math.log(4 / 3) + (Math.log(4 / 3) + Math.log(2)) / 2;
  expect([loss, positiveWeight, ...weights]).toEqual(closeTo(expected, -1 / 4, 1 / 8, 1 / 4));
});

test('logistic: without negatives, only the term of the positive', () => {
  const { loss, positiveWeight } = lossOf('logistic', 0, []);
  expect([loss, positiveWeight]).toEqual([expect.closeTo(Math.log(2), 12), -0.5]);
});

test.each(['softmax', 'logistic'] as const)('%s: weights of far negatives are exactly 0', (name) => {
  const { weights } = lossOf(name, 0, [-25.1, -1e6, -24.9]);
  expect(weights.slice(0, 2)).toEqual([0, 0]);
  expect(weights[2]).toBeGreaterThan(0);
});

test.each(['softmax', 'logistic'] as const)('%s: a positive far below is pulled with full weight', (name) => {
  const pulled = lossOf(name, -1e6, [1e6]);
  expect(pulled).toEqual({ loss: 2e6, positiveWeight: -1, weights: [1] });
});
