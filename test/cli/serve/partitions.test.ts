import { expect, test } from 'vitest';
import { partitionsOption } from '../../../src/cli/serve/partitions.ts';

test.each([
  ['3', [3]],
  ['0-3', [0, 1, 2, 3]],
  ['7,0-2, 5-6,1', [0, 1, 2, 5, 6, 7]],
  ['4-4', [4]],
])('%s', (text, partitions) => {
  expect(partitionsOption(text)).toEqual(partitions);
});

test.each(['', ',', '1,', '3-1', '1-', '-1', 'all', '0x2', '1e2', '1.5', '0-10000', '99999999'])(
  'refuses %j, saying what is expected',
  (text) => {
    expect(() => partitionsOption(text)).toThrow(/expected numbers of partitions such as 0-3 or 0,2,5-7/);
  },
);
