import { describe, expect, test } from 'vitest';
import { floors, median, quantileOf, slopePerHour, thirds } from './arithmetic.ts';

const INFINITE = Number.POSITIVE_INFINITY;

describe('a slope', () => {
  test('is per hour, and not moved by a wild point', () => {
    const line = [0, 10, 20, 30, 40].map((atS) => ({ atS, value: 500 + atS / 60 }));
    expect(slopePerHour(line)).toBeCloseTo(60);
    expect(slopePerHour(line.with(2, { atS: 20, value: 9_000 }))).toBeCloseTo(60);
  });

  test('of one moment is not known', () => {
    expect(slopePerHour([])).toBeUndefined();
    expect(
      slopePerHour([
        { atS: 5, value: 1 },
        { atS: 5, value: 2 },
      ]),
    ).toBeUndefined();
  });
});

test('a median of an even count lies between the middle two', () => {
  expect(median([9, 1, 4, 2])).toBe(3);
  expect(median([9, 1, 4])).toBe(4);
  expect(median([])).toBeUndefined();
});

test('floors are the smallest of each span', () => {
  const saw = [5, 9, 3, 8, 4, 7].map((value, i) => ({ atS: i * 10, value }));
  expect(floors(saw, 30)).toEqual([
    { atS: 20, value: 3 },
    { atS: 40, value: 4 },
  ]);
});

test('thirds are of time, not of points', () => {
  const points = [
    { atS: 100, value: 1 },
    { atS: 110, value: 3 },
    { atS: 200, value: 50 },
    { atS: 400, value: 7 },
  ];
  expect(thirds(points)).toEqual({ first: 3, last: 7 });
  expect(thirds([])).toBeUndefined();
});

describe('a quantile of buckets', () => {
  const buckets = [
    { upTo: 0.1, count: 10 },
    { upTo: 0.5, count: 90 },
    { upTo: 1, count: 90 },
    { upTo: INFINITE, count: 100 },
  ];

  test('is linear within its bucket', () => {
    // Rank 50 of 10 … 90 is half of the way from 0.1 to 0.5.
    expect(quantileOf(buckets, 0.5)).toBeCloseTo(0.3);
    // Rank 5 of 0 … 10: half of the way from 0.
    expect(quantileOf(buckets, 0.05)).toBeCloseTo(0.05);
    expect(quantileOf(buckets, 0.9)).toBeCloseTo(0.5);
  });

  test('beyond the largest bound is that bound, and of nothing unknown', () => {
    expect(quantileOf(buckets, 0.99)).toBe(1);
    expect(quantileOf([{ upTo: INFINITE, count: 0 }], 0.5)).toBeUndefined();
    expect(quantileOf([], 0.5)).toBeUndefined();
  });
});
