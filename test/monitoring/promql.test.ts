import { describe, expect, test } from 'vitest';
import { askedFor, filled } from './promql.ts';

const seen = (expr: string) => {
  const { metrics, labels } = askedFor(expr);
  return { metrics: Object.fromEntries(metrics), labels };
};

describe('the metrics and labels of an expression', () => {
  test.each([
    ['a', { a: [] }, []],
    ['a:b:c > 3 and on (x, y) b offset 1h', { 'a:b:c': [], b: [] }, ['x', 'y']],
    ['rate(a{x="y{z}",w=~"b c"}[5m])', { a: ['x', 'w'] }, []],
    ['sum by (x, le) (rate(a_bucket[1d] offset 1h))', { a_bucket: [] }, ['x', 'le']],
    ['a > on (x) group_left 0.9 * sum without (y) (b)', { a: [], b: [] }, ['x', 'y']],
    ['a / on (x) group_left (z) a{x!="1"}', { a: ['x'] }, ['x', 'z']],
    ['time() - a or 1e9 * b unless c', { a: [], b: [], c: [] }, []],
  ])('%s', (expr, metrics, labels) => {
    expect(seen(expr)).toEqual({ metrics, labels });
  });

  test('are found in the expression of a panel, with everything chosen', () => {
    expect(filled('rate(a{graph=~"$graph",x="$y"}[$__rate_interval])')).toBe(
      'rate(a{graph=~".*",x=".*"}[1m])',
    );
  });
});
