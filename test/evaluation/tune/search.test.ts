import { describe, expect, test } from 'vitest';
import { DIMENSIONS, drawTrials, roundsFor } from '../../../src/evaluation/tune/search.ts';
import { Random } from '../../../src/sampling/random.ts';

const current = new Map<string, number | boolean>([
  ['model.beta', 9],
  ['training.updatesPerEdge', 4],
  ['training.inBatchNegatives', true],
]);

describe('drawing trials', () => {
  test('gives different trials, each with values of the dimension that are not current', () => {
    const trials = drawTrials(DIMENSIONS, current, 20, Random.seeded(1));
    expect(trials).toHaveLength(20);
    expect(new Set(trials.map((settings) => settings.join(' '))).size).toBe(20);
    for (const settings of trials) {
      expect(settings).not.toHaveLength(0);
      for (const setting of settings) {
        const [key = '', value = ''] = setting.split('=');
        const values = DIMENSIONS.find((dimension) => dimension.key === key)?.values.map(String);
        expect(values).toContain(value);
        expect(String(current.get(key))).not.toBe(value);
      }
    }
    const keys = new Set(trials.flat().map((setting) => setting.split('=')[0]));
    expect([...keys].sort()).toEqual([...current.keys()].sort());
  });

  test('gives the same for the same seed, and others for another', () => {
    const of = (seed: number) => drawTrials(DIMENSIONS, current, 5, Random.seeded(seed));
    expect(of(3)).toEqual(of(3));
    expect(of(3)).not.toEqual(of(4));
  });

  test('gives fewer where there are no more combinations, and none where nothing is varied', () => {
    const one = new Map([['training.inBatchNegatives', true]]);
    expect(drawTrials(DIMENSIONS, one, 5, Random.seeded(1))).toEqual([['training.inBatchNegatives=false']]);
    expect(drawTrials(DIMENSIONS, new Map(), 5, Random.seeded(1))).toEqual([]);
  });

  test('varies each setting in about half of the trials', () => {
    const trials = drawTrials(DIMENSIONS, current, 30, Random.seeded(2));
    const share = trials.filter((settings) => settings.some((each) => each.startsWith('model.beta='))).length;
    expect(share).toBeGreaterThan(8);
    expect(share).toBeLessThan(25);
  });
});

test.each([
  [1, [[1, 1]]],
  [2, [[1, 1]]],
  [
    3,
    [
      [1 / 3, 1],
      [1, 1],
    ],
  ],
  [
    8,
    [
      [1 / 3, 3],
      [1, 1],
    ],
  ],
  [
    9,
    [
      [1 / 9, 3],
      [1 / 3, 1],
      [1, 1],
    ],
  ],
  [
    27,
    [
      [1 / 9, 9],
      [1 / 3, 3],
      [1, 1],
    ],
  ],
  [
    100,
    [
      [1 / 9, 34],
      [1 / 3, 12],
      [1, 1],
    ],
  ],
])('%i trials go through rounds of growing parts, the last of which has all records', (trials, expected) => {
  const rounds = roundsFor(trials);
  expect(rounds.map(({ keeps }) => keeps)).toEqual(expected.map(([, keeps]) => keeps));
  rounds.forEach(({ share }, i) => void expect(share).toBeCloseTo(expected[i]![0]!));
});
