import { expect, test } from 'vitest';
import { Positions } from '../../../src/pipeline/reading/positions.ts';

test('goes up only, by topic and partition', () => {
  const positions = new Positions({ t: { '0': 5 } });
  expect([positions.get('t', 0), positions.get('t', 1), positions.get('u', 0)]).toEqual([
    5,
    undefined,
    undefined,
  ]);
  expect([positions.advance('t', 0, 5), positions.advance('t', 0, 4)]).toEqual([false, false]);
  expect([positions.advance('t', 0, 6), positions.advance('t', 1, 0), positions.advance('u', 0, 2)]).toEqual([
    true,
    true,
    true,
  ]);
  expect(positions.toOffsets()).toEqual({ t: { '0': 6, '1': 0 }, u: { '0': 2 } });
  positions.advanceTo({ t: { '0': 3, '1': 7 } });
  expect(positions.toOffsets()).toEqual({ t: { '0': 6, '1': 7 }, u: { '0': 2 } });
});

test('says what is left up to an end', () => {
  const positions = new Positions({ t: { '0': 5 } });
  const range = (topic: string, partition: number, low: number, high: number) => ({
    topic,
    partition,
    low,
    high,
  });
  // Nothing was ever read of an empty partition, and of one whose first three offsets retention took.
  const ranges = [range('t', 0, 0, 7), range('t', 1, 3, 3), range('t', 2, 3, 7), range('u', 0, 0, 1)];
  expect(ranges.map((each) => positions.behind(each))).toEqual([2, 0, 4, 1]);
  expect(positions.reached(ranges)).toBe(false);
  positions.advanceTo({ t: { '0': 9, '2': 7 }, u: { '0': 1 } });
  expect(ranges.map((each) => positions.behind(each))).toEqual([0, 0, 0, 0]);
  expect(positions.reached(ranges)).toBe(true);
  expect(new Positions().reached([])).toBe(true);
});

test('what it gives away is a copy', () => {
  const positions = new Positions({ t: { '0': 5 } });
  const offsets = positions.toOffsets();
  positions.advance('t', 0, 6);
  expect(offsets).toEqual({ t: { '0': 5 } });
});
