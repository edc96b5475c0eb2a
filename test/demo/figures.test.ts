import { expect, test } from 'vitest';
import { clock, count, cut, duration, fixed, percent, score } from '../../demo/figures.ts';

test('counts are grouped by thousands', () => {
  expect([0, 999, 1000, 1_234_567.4].map(count)).toEqual(['0', '999', '1,000', '1,234,567']);
});

test('a value that is not measured is a dash', () => {
  expect([count(undefined), score(Number.NaN), duration(undefined), fixed(undefined, 2)]).toEqual(
    Array(4).fill('–'),
  );
});

test('scores drop only the zero before the point', () => {
  expect([0.4123, 1, 0, 10.5].map(score)).toEqual(['.412', '1.000', '.000', '10.500']);
});

test('small shares get a digit after the point', () => {
  expect([0.0253, 0.63, 1].map(percent)).toEqual(['2.5 %', '63 %', '100 %']);
});

test('durations have a readable unit', () => {
  expect([0, 12.4, 999.6, 1234, 9960, 58_123].map(duration)).toEqual([
    '0 ms',
    '12 ms',
    '1.0 s',
    '1.2 s',
    '10 s',
    '58 s',
  ]);
});

test('the clock counts minutes and seconds', () => {
  expect([0, 59_999, 65_432, 3_600_000].map(clock)).toEqual(['00:00', '00:59', '01:05', '60:00']);
});

test('a text that is too long is cut with an ellipsis', () => {
  expect(cut('abcdef', 6)).toBe('abcdef');
  expect(cut('abcdefg', 6)).toBe('abcde…');
});
