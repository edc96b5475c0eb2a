import { expect, test } from 'vitest';
import {
  bytes,
  count,
  rate,
  STEPS,
  seconds,
  separated,
  share,
  span,
  time,
} from '../../src/pages/shared/format.js';

test('the labels of an axis are round, and no two are equal', () => {
  for (const [format, steps] of STEPS)
    for (const step of steps) {
      const labels = [0, 1, 2, 3, 4].map((tick) => format(tick * step));
      expect([step, new Set(labels).size, labels]).toEqual([step, 5, labels]);
    }
  const labels = (format: (value: number) => string, step: number) =>
    [1, 2, 4].map((tick) => format(tick * step));
  for (const format of [bytes, count, rate, seconds, share, span]) expect(STEPS.has(format)).toBe(true);
  expect(STEPS.get(bytes)).toContain(256 * 1024 ** 2);
  expect(labels(bytes, 256 * 1024 ** 2)).toEqual(['256 MiB', '512 MiB', '1.0 GiB']);
  expect(STEPS.get(span)?.[0]).toBe(1);
  expect(STEPS.get(seconds)).toContain(0.5);
  expect(labels(seconds, 0.5)).toEqual(['500 ms', '1.0 s', '2.0 s']);
});

test('a text has separators in whole numbers, and none in names, ids and addresses', () => {
  expect(
    separated('6592 are published again, above step 5929; web.views 6 is 1790178 s behind (240652 records)'),
  ).toBe('6,592 are published again, above step 5,929; web.views 6 is 1,790,178 s behind (240,652 records)');
  for (const same of ['user:1503 at 127.0.0.1:9092', 'since 2026-12-03 14:44', 'p-5000.x v2 999'])
    expect(separated(same)).toBe(same);
});

test('a time of today has seconds, and another one has an ISO date', () => {
  const now = new Date();
  now.setHours(9, 8, 7);
  expect(time(now.getTime())).toBe('09:08:07');
  expect(time(new Date(2024, 0, 2, 21, 4, 5).getTime())).toBe('2024-01-02 21:04');
  expect(time(undefined)).toBe('–');
});
