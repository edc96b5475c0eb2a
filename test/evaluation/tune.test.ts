import { describe, expect, test } from 'vitest';
import { LIST_FIGURES } from '../../src/evaluation/stream/lists.ts';
import { splitStream } from '../../src/evaluation/stream/split.ts';
import {
  type Dimension,
  dimensionsOf,
  drawTrials,
  roundsFor,
  scoreOf,
  trialFigures,
} from '../../src/evaluation/tune.ts';
import { Random } from '../../src/sampling/random.ts';
import { settings } from '../pipeline/training/trainer-fixture.ts';
import { rankedEdges, streamOf } from './stream/stream-fixture.ts';

const dimensions: readonly Dimension[] = [
  { key: 'model.beta', values: [4, 6, 9, 12, 16], current: 9 },
  { key: 'training.updatesPerEdge', values: [1, 2, 4, 8], current: 4 },
  { key: 'training.inBatchNegatives', values: [true, false], current: true },
];

test('what is varied has the values of today, and nothing that is fixed', () => {
  const found = dimensionsOf(settings, ['training.chunkEdges']);
  const current = Object.fromEntries(found.map((each) => [each.key, each.current]));
  expect(current).toMatchObject({
    'model.learningRate': settings.model.learningRate,
    'training.updatesPerEdge': settings.updatesPerEdge,
  });
  expect(current).not.toHaveProperty('training.chunkEdges');
});

describe('drawing trials', () => {
  test('gives different trials, each with values of the dimension that are not current', () => {
    const trials = drawTrials(dimensions, 20, Random.seeded(1));
    expect(trials).toHaveLength(20);
    expect(new Set(trials.map((settings) => settings.join(' '))).size).toBe(20);
    for (const settings of trials) {
      expect(settings).not.toHaveLength(0);
      for (const setting of settings) {
        const [key = '', value = ''] = setting.split('=');
        const dimension = dimensions.find((each) => each.key === key);
        expect(dimension?.values.map(String)).toContain(value);
        expect(String(dimension?.current)).not.toBe(value);
      }
    }
    const keys = new Set(trials.flat().map((setting) => setting.split('=')[0]));
    expect([...keys].sort()).toEqual(dimensions.map(({ key }) => key).sort());
  });

  test('gives fewer where there are no more combinations, and none where nothing is varied', () => {
    const one = dimensions.slice(2);
    expect(drawTrials(one, 5, Random.seeded(1))).toEqual([['training.inBatchNegatives=false']]);
    expect(drawTrials([], 5, Random.seeded(1))).toEqual([]);
  });

  test('varies each setting in about half of the trials', () => {
    const trials = drawTrials(dimensions, 30, Random.seeded(2));
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

const split = splitStream(
  streamOf('a likes 1', 'b likes 2', 'a retweets 2', 'b retweets 1', 'a likes 2', 'b likes 1'),
  4,
);

/** Ranks by other ways than the vectors, and how many candidates there were. */
const OTHERS = [1, 1, 1, 1, 1, 1, 9, 9];

function lists(recalls: readonly number[]) {
  const figures = LIST_FIGURES.map((name) =>
    Float64Array.from(recalls, (value) => (name === 'recall20' ? value : 1)),
  );
  return { figures, coverage: 1 };
}

test('figures are of new edges between known entities, and of the lists of all relations of a pair', () => {
  const figures = trialFigures(
    new Map([
      ['user→tweet', lists([0.5, 0])],
      ['likes', lists([1, 1])],
    ]),
    rankedEdges([
      { lhsEvents: 1, rhsEvents: 1, ranks: [2, 4, ...OTHERS] },
      { lhsEvents: 3, rhsEvents: 2, ranks: [1, 1, ...OTHERS] },
      { lhsEvents: 0, rhsEvents: 2, ranks: [1, 1, ...OTHERS] },
      { lhsEvents: 1, rhsEvents: 2, repeated: 1, ranks: [1, 1, ...OTHERS] },
    ]),
    split.scopes,
  );
  expect(figures).toEqual({ mrrUniform: 0.75, mrrDegree: 0.625, recall20: 0.25 });
});

test('a figure without a case is 0', () => {
  expect(trialFigures(new Map(), rankedEdges([]), split.scopes)).toEqual({
    mrrUniform: 0,
    mrrDegree: 0,
    recall20: 0,
  });
});

test('the score weighs gains and losses in proportion, and a figure of 0 does not hide the others', () => {
  const score = (mrrUniform: number, mrrDegree: number, recall20: number) =>
    scoreOf({ mrrUniform, mrrDegree, recall20 });
  expect(score(0.4, 0.1, 0.2)).toBeCloseTo(0.2);
  expect(score(0.2, 0.2, 0.2)).toBeCloseTo(score(0.4, 0.1, 0.2));
  expect(score(0.4, 0.1, 0)).toBeGreaterThan(score(0.3, 0.1, 0));
});
