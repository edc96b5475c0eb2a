import { expect, test } from 'vitest';
import { Window } from '../../src/pipeline/window.ts';

test('gives quantiles by nearest rank', () => {
  const window = new Window();
  expect(window.quantile(0.5)).toBeUndefined();
  for (const ms of [40, 10, 30, 20]) window.add(ms);
  // Ranks of four: a half is the second, 0.51 the third, 0.99 the fourth.
  expect([0, 0.25, 0.5, 0.51, 0.99, 1].map((q) => window.quantile(q))).toEqual([10, 10, 20, 30, 40, 40]);
});

test('keeps the newest 4,096', () => {
  const window = new Window();
  window.add(1e9);
  for (let i = 1; i <= 4096; i++) window.add(i);
  expect([window.quantile(0), window.quantile(0.5), window.quantile(1)]).toEqual([1, 2048, 4096]);
});
