import fc from 'fast-check';
import { expect, it } from 'vitest';
import { LOSSES } from '../../src/model/losses.ts';
import { ChosenAmong } from '../../src/serve/chosen.ts';
import { tweet } from './serve-fixture.ts';

it('is the softmax of the scores, by hand', () => {
  const chosen = new ChosenAmong([
    { entity: tweet('a'), score: Math.log(1) },
    { entity: tweet('b'), score: Math.log(3) },
  ]);
  // 4 of 4 + 1 + 3; for those that are negatives themselves, 1 of 1 + 3 and 3 of 3 + 1.
  expect(chosen.probability(tweet('c'), Math.log(4))).toBeCloseTo(0.5, 12);
  expect(chosen.probability(tweet('a'), Math.log(1))).toBeCloseTo(0.25, 12);
  expect(chosen.probability(tweet('b'), Math.log(3))).toBeCloseTo(0.75, 12);
});

it('is none without a negative, or where the only one is the candidate', () => {
  expect(new ChosenAmong([]).probability(tweet('a'), 1)).toBeUndefined();
  expect(new ChosenAmong([{ entity: tweet('a'), score: 1 }]).probability(tweet('a'), 1)).toBeUndefined();
  const twice = ChosenAmong.those(['a', 'a', 'x'].map(tweet), (name) =>
    name === tweet('a') ? 1 : undefined,
  );
  expect([twice.probability(tweet('a'), 1), twice.probability(tweet('b'), 1)]).toEqual([undefined, 0.5]);
});

it('is what the loss of training takes it for: e to the power of minus the loss', () => {
  const scores = fc.array(fc.double({ min: -12, max: 12, noNaN: true }), { minLength: 1, maxLength: 30 });
  const settings = { margin: 0, negativeWeight: 1 };
  fc.assert(
    fc.property(fc.double({ min: -12, max: 12, noNaN: true }), scores, fc.nat(29), (own, others, at) => {
      const lossOf = (score: number, negatives: readonly number[]) =>
        LOSSES.softmax(score, Float64Array.from(negatives), settings, new Float64Array(negatives.length))
          .loss;
      const chosen = new ChosenAmong(others.map((score, i) => ({ entity: tweet(i), score })));
      expect(chosen.probability(tweet('own'), own)).toBeCloseTo(Math.exp(-lossOf(own, others)), 9);
      const place = at % others.length;
      if (others.length === 1) return;
      expect(chosen.probability(tweet(place), others[place]!)).toBeCloseTo(
        Math.exp(-lossOf(others[place]!, others.toSpliced(place, 1))),
        9,
      );
    }),
  );
});

it('is a number whatever the scores are', () => {
  for (const own of [-1e6, 0, 1e6])
    for (const other of [-1e6, 0, 1e6]) {
      const chosen = new ChosenAmong(['a', 'b'].map((id) => ({ entity: tweet(id), score: other })));
      const expected = own > other ? 1 : own < other ? 0 : 1 / 3;
      expect(chosen.probability(tweet('c'), own)).toBeCloseTo(expected, 12);
      expect(chosen.probability(tweet('a'), other)).toBeCloseTo(0.5, 12);
    }
});
