import { expect, test } from 'vitest';
import { LOSSES } from '../../src/model/losses.ts';

/** The loss of a positive and negatives of these scores, and the weights of all. */
function lossOf(name: keyof typeof LOSSES, positive: number, negatives: readonly number[]) {
  const weights = new Float64Array(negatives.length).fill(7);
  const settings = { margin: 0, negativeWeight: 1 };
  return {
    ...LOSSES[name](positive, Float64Array.from(negatives), settings, weights),
    weights: [...weights],
  };
}

test('softmax: a constant added to all scores changes nothing, however large', () => {
  const { loss, positiveWeight, weights } = lossOf('softmax', 5000, [5000]);
  expect([loss, positiveWeight, ...weights]).toEqual([expect.closeTo(Math.log(2), 12), -0.5, 0.5]);
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
