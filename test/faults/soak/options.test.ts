import { expect, test } from 'vitest';
import { readOptions } from './options.ts';

test('a soak is of mixed faults unless it is to be steady', () => {
  expect(readOptions([], 1_234_567)).toMatchObject({
    form: 'mixed',
    minutes: 20,
    rate: 200,
    brokers: 3,
    seed: 234_567,
  });
  expect(readOptions(['--steady', '--rate', '50', '--seed', '4'], 0)).toEqual({
    ...{ form: 'steady', minutes: 60, rate: 50, brokers: 1, seed: 4, out: undefined },
    ...{ samples: 'soak.ndjson', scale: 1, alone: false, collect: false },
  });
  expect(readOptions(['--report-of', 'x', '--out', 'y'], 0)).toEqual({
    form: 'remade',
    samples: 'x',
    out: 'y',
  });
});

test('what it can not be told is said', () => {
  expect(() => readOptions(['--minutes', 'ten'], 0)).toThrow(
    '--minutes: expected a number above 0, seen ten',
  );
  expect(() => readOptions(['--alone'], 0)).toThrow('--alone: is for --steady alone');
});
