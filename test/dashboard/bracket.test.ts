import { describe, expect, test } from 'vitest';
import { bracketOf } from '../../src/dashboard/bracket.ts';

const points = (...steps: (number | undefined)[]) => steps.map((step, i) => ({ at: 100 * (i + 1), step }));

describe('bracketOf', () => {
  test.each([
    ['between the last point below and the first at it', 15, points(10, 20, 30), { from: 100, to: 200 }],
    ['at the first point that has the step itself', 20, points(10, 20, 20, 30), { from: 100, to: 200 }],
    ['before all that is known', 5, points(10, 20), { to: 100 }],
    ['since the newest point', 25, points(10, 20), { from: 200 }],
    ['over points that know no step', 15, points(undefined, 10, undefined, 20), { from: 200, to: 400 }],
    ['unknown where no point has a step', 1, points(undefined, undefined), {}],
    ['unknown where there is no point', 1, [], {}],
    [
      'of the graph that is there now, not of one before it with higher steps',
      7,
      points(5, 90, 6, 8),
      {
        from: 300,
        to: 400,
      },
    ],
    ['before the first point of the graph that is there now', 3, points(1, 90, 6, 8), { to: 300 }],
  ])('%s', (_, step, given, bracket) => {
    expect(bracketOf(step, given)).toEqual(bracket);
  });
});
