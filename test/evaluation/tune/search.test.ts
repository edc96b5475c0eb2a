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
  [1, 900_000, [1], [1]],
  [2, 900_000, [1], [1]],
  [3, 900_000, [1 / 3, 1], [1, 1]],
  [8, 900_000, [1 / 3, 1], [3, 1]],
  [9, 900_000, [1 / 9, 1 / 3, 1], [3, 1, 1]],
  [27, 900_000, [1 / 9, 1 / 3, 1], [9, 3, 1]],
  [100, 900_000, [1 / 9, 1 / 3, 1], [34, 12, 1]],
  [27, 90_000, [1 / 9, 1 / 3, 1], [9, 3, 1]],
  [27, 89_999, [1 / 3, 1], [9, 1]],
  [27, 29_999, [1], [1]],
  [27, 5, [1], [1]],
])('%i trials on %i records go through parts of at least 10,000', (trials, records, shares, keeps) => {
  const rounds = roundsFor(trials, records, 10_000);
  expect(rounds.map((round) => round.keeps)).toEqual(keeps);
  rounds.forEach(({ share }, i) => void expect(share).toBeCloseTo(shares[i]!));
});
