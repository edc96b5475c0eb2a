import { expect, test } from 'vitest';
import { durationMs } from '../../src/replay/duration.ts';

test.each([
  ['30s', 30_000],
  ['5m', 300_000],
  ['1.5h', 5_400_000],
  ['7d', 604_800_000],
  ['2w', 1_209_600_000],
  ['0s', 0],
])('%s is %i ms', (text, ms) => {
  expect(durationMs(text)).toBe(ms);
});

test.each(['', '30', 's', '-1s', '1 h', '1ms', '1y', '1h30m', '1.h'])('%j is no duration', (text) => {
  expect(durationMs(text)).toBeUndefined();
});
