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
  const ends = { t: { '0': 7, '1': 0, '2': 4 }, u: { '0': 1 } };
  // 2 and 4 and 1; an empty partition is reached by never having read
  expect([positions.behind(ends), positions.reached(ends)]).toEqual([7, false]);
  positions.advanceTo({ t: { '0': 9, '2': 4 }, u: { '0': 1 } });
  expect([positions.behind(ends), positions.reached(ends)]).toEqual([0, true]);
  expect(new Positions().reached({})).toBe(true);
});

test('what it gives away is a copy', () => {
  const positions = new Positions({ t: { '0': 5 } });
  const offsets = positions.toOffsets();
  positions.advance('t', 0, 6);
  expect(offsets).toEqual({ t: { '0': 5 } });
});
