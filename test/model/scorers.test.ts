import { expect, test } from 'vitest';
import { SCORERS } from '../../src/model/scorers.ts';
import type { ScorerName } from '../../src/model/settings.ts';

const vector = (...numbers: number[]) => Float64Array.from(numbers);

test.each<[ScorerName, number]>([
  // anchor − candidate = (3, −4, 0); β = 2.
  ['transe-l1', -14],
  ['transe-l2', -10],
  // 4·1 + (−3)·1 + 2·2 = 5.
  ['twhin', 10],
])('%s scores by its formula', (name, expected) => {
  expect(SCORERS[name].score(vector(4, -3, 2), vector(1, 1, 2), 2)).toBe(expected);
});

test.each<[ScorerName, number[], number[]]>([
  // weight · β = 1.
  ['transe-l1', [-1, 1, 0], [1, -1, 0]],
  ['transe-l2', [-0.6, 0.8, 0], [0.6, -0.8, 0]],
  ['twhin', [1, 1, 2], [4, -3, 2]],
])('%s adds the gradient worked out by hand', (name, anchorGradient, candidateGradient) => {
  const onAnchor = vector(10, 10, 10);
  const onCandidate = vector(20, 20, 20);
  SCORERS[name].addGradient(vector(4, -3, 2), vector(1, 1, 2), 2, 0.5, onAnchor, onCandidate);
  for (let k = 0; k < 3; k++) {
    expect(onAnchor[k]).toBeCloseTo(10 + anchorGradient[k]!, 12);
    expect(onCandidate[k]).toBeCloseTo(20 + candidateGradient[k]!, 12);
  }
});

test.each<ScorerName>(['transe-l1', 'transe-l2', 'twhin'])(
  '%s has a finite gradient at equal vectors',
  (name) => {
    const anchor = vector(0.5, 0.5);
    const onAnchor = vector(0, 0);
    SCORERS[name].addGradient(anchor, anchor.slice(), 1, 1, onAnchor, vector(0, 0));
    expect([...onAnchor]).toEqual(name === 'twhin' ? [0.5, 0.5] : [0, 0]);
  },
);
