import { expect, test } from 'vitest';
import { itemReason, meanScores } from '../../src/serve/reasons.ts';

const VECTOR = Float32Array.of(0, 0);
const queries = (likes: number, retweets: number) => [
  { weight: likes, of: { relation: 'likes' } },
  { weight: retweets, of: { relation: 'retweets' } },
];
const reasonsOf = (weights: ReturnType<typeof queries>, lists: readonly (readonly number[])[]) => {
  const means = meanScores(
    lists.map((scores) => ({ scores })),
    2,
  );
  return lists.map((scores) => itemReason(weights, scores, means, VECTOR, []));
};

test('the reason is the relation that lifts an item above its list, as it is weighed', () => {
  // By retweets all score higher, and alike: that lifts nothing.
  expect(
    reasonsOf(queries(0.9, 0.1), [
      [-4, -1],
      [-9, -1],
      [-8, 0],
    ]),
  ).toEqual([
    // Means are -7 and -2/3: by likes .9 · 3 for the first, and -.9 · 2 for the second.
    { relation: 'likes', share: 0.9, score: -4 },
    { relation: 'retweets', share: 0.1, score: -1 },
    { relation: 'retweets', share: 0.1, score: 0 },
  ]);
});

test('the heaviest relation is the reason where nothing lifts an item', () => {
  expect(reasonsOf(queries(0.3, 0.7), [[-1, -4]])).toEqual([{ relation: 'retweets', share: 0.7, score: -4 }]);
  expect(
    reasonsOf(queries(0.7, 0.3), [
      [-4, -1],
      [-4, -1],
    ]).map(({ relation }) => relation),
  ).toEqual(['likes', 'likes']);
});
