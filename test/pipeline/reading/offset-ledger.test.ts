import { expect, test } from 'vitest';
import { OffsetLedger } from '../../../src/pipeline/reading/offset-ledger.ts';

test('marks begin where the store stands, and each rises by itself', () => {
  const ledger = new OffsetLedger({ t: { '0': { offset: 5 } } });
  const marks = (topic: string, partition: number) =>
    (['fetched', 'applied', 'committed'] as const).map(
      (mark) => ledger.position(mark, topic, partition)?.offset,
    );
  expect([marks('t', 0), marks('t', 1), marks('u', 0)]).toEqual([
    [5, 5, 5],
    [undefined, undefined, undefined],
    [undefined, undefined, undefined],
  ]);
  ledger.advance('fetched', 't', 0, 9);
  ledger.advance('applied', 't', 0, 7);
  ledger.advance('fetched', 't', 1, 0);
  expect([marks('t', 0), marks('t', 1)]).toEqual([
    [9, 7, 5],
    [0, undefined, undefined],
  ]);
  const copy = ledger.offsets('applied');
  ledger.advance('applied', 't', 0, 8);
  expect(copy).toEqual({ t: { '0': 7 } });
  expect(ledger.offsets('fetched')).toEqual({ t: { '0': 9, '1': 0 } });
});

test('a mark never falls', () => {
  const ledger = new OffsetLedger({ t: { '0': { offset: 5 } } });
  ledger.advance('applied', 't', 0, 4);
  expect(ledger.position('applied', 't', 0)).toEqual({ offset: 5 });
  ledger.advanceTo('committed', { t: { '0': { offset: 3 }, '1': { offset: 7 } }, u: { '0': { offset: 2 } } });
  expect(ledger.offsets('committed')).toEqual({ t: { '0': 5, '1': 7 }, u: { '0': 2 } });
});

test('a position has the leader epoch of the run that led there, and none where the run has none', () => {
  const ledger = new OffsetLedger({ t: { '0': { offset: 5, epoch: 1 } } });
  ledger.advance('applied', 't', 0, 6, 2);
  ledger.advance('fetched', 't', 0, 7);
  expect(ledger.positions('applied')).toEqual({ t: { '0': { offset: 6, epoch: 2 } } });
  expect(ledger.position('fetched', 't', 0)).toEqual({ offset: 7 });
  expect(ledger.position('committed', 't', 0)).toEqual({ offset: 5, epoch: 1 });
});

test('says what is left to apply up to an end', () => {
  const ledger = new OffsetLedger({ t: { '0': { offset: 5 } } });
  const range = (topic: string, partition: number, low: number, high: number) => ({
    topic,
    partition,
    low,
    high,
  });
  // Nothing was ever read of an empty partition, and of one whose first three offsets retention took.
  const ranges = [range('t', 0, 0, 7), range('t', 1, 3, 3), range('t', 2, 3, 7), range('u', 0, 0, 1)];
  expect(ranges.map((each) => ledger.behind(each))).toEqual([2, 0, 4, 1]);
  expect(ledger.applied(ranges)).toBe(false);
  const all = { t: { '0': { offset: 9 }, '2': { offset: 7 } }, u: { '0': { offset: 1 } } };
  ledger.advanceTo('fetched', all);
  expect(ledger.applied(ranges)).toBe(false);
  ledger.advanceTo('applied', all);
  expect(ranges.map((each) => ledger.behind(each))).toEqual([0, 0, 0, 0]);
  expect(ledger.applied(ranges)).toBe(true);
  expect(new OffsetLedger().applied([])).toBe(true);
});
