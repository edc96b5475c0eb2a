import { expect, test } from 'vitest';
import { checkLog } from '../../src/graph/check-log.ts';
import { HEAD } from './graph-fixture.ts';

test('offsets are within what the log holds, or it is said which are not', () => {
  const head = { ...HEAD, offsets: { a: { '0': 5, '1': 9, '2': 3 }, b: { '0': 7 } } };
  const range = (topic: string, partition: number, low: number, high: number) => ({
    topic,
    partition,
    low,
    high,
  });
  const whole = [range('a', 0, 5, 5), range('a', 1, 0, 10), range('a', 2, 3, 9), range('b', 0, 7, 7)];
  expect(checkLog(head, [...whole, range('a', 3, 0, 4)])).toEqual([]);
  expect(checkLog(head, [range('a', 0, 6, 8), range('a', 1, 0, 8), range('b', 0, 8, 9)])).toEqual([
    {
      kind: 'offset-beyond',
      count: 2,
      samples: ['a/1: read up to 9, the log ends at 8', 'a/2: read up to 3, there is no such partition'],
    },
    {
      kind: 'offset-gone',
      count: 2,
      samples: ['a/0: read up to 5, the log begins at 6', 'b/0: read up to 7, the log begins at 8'],
    },
  ]);
});
