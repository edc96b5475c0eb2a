import { expect, test } from 'vitest';
import { agreedIn, type EpochEnd, isLost } from '../../src/adapters/agreed.ts';

/** A log by its leader epochs: the first offset of each, and where the log ends. Answers as a broker does. */
function logOf(starts: readonly (readonly [epoch: number, start: number])[], high: number, low = 0) {
  const kept = starts.filter(
    ([, start], i) => (starts[i + 1]?.[1] ?? Number.POSITIVE_INFINITY) > low || start >= low,
  );
  const endOf = async (_: unknown, asked: number): Promise<EpochEnd> => {
    const later = kept.find(([epoch]) => epoch > asked);
    const own = kept.findLast(([epoch]) => epoch <= asked)?.[0];
    if (asked > kept.at(-1)![0]) return { epoch: -1, offset: -1 };
    return { epoch: own ?? asked, offset: later === undefined ? high : Math.max(low, later[1]) };
  };
  return { endOf, range: { topic: 't', partition: 0, low, high } };
}

/** Epochs with their first offsets. */
const TWO = [
  [0, 0],
  [2, 50],
] as const;
const THREE = [
  [0, 0],
  [1, 20],
  [4, 50],
] as const;
const WITH_GAP = [
  [0, 0],
  [4, 50],
] as const;

test.each([
  ['nothing is lost in the newest epoch', TWO, 0, { offset: 80, epoch: 2 }, { offset: 80, epoch: 2 }],
  ['nothing is lost in an older epoch', TWO, 0, { offset: 50, epoch: 0 }, { offset: 50, epoch: 0 }],
  ['the epoch ends before what was read', TWO, 0, { offset: 60, epoch: 0 }, { offset: 50, epoch: 0 }],
  [
    'the epoch is gone: all of the one before is read again',
    THREE,
    0,
    { offset: 60, epoch: 3 },
    { offset: 20 },
  ],
  [
    'the epoch is gone, and the one before is the first',
    WITH_GAP,
    0,
    { offset: 60, epoch: 3 },
    { offset: 0 },
  ],
  ['the epoch is newer than any in the log', WITH_GAP, 0, { offset: 60, epoch: 7 }, { offset: 0 }],
  ['what was to be read is no longer kept', TWO, 70, { offset: 30, epoch: 0 }, { offset: 70 }],
  ['no epoch is known', [[0, 0]], 10, { offset: 60 }, { offset: 10 }],
] as const)('%s', async (_, starts, low, position, expected) => {
  const { endOf, range } = logOf(starts, 100, low);
  const agreed = await agreedIn([range], { t: { 0: position }, other: { 0: position } }, endOf);
  expect(agreed).toEqual({ t: { 0: expected } });
});

test('a log lacks what was read where the epoch ends sooner, is not there, or is not known to it', () => {
  const position = { offset: 60, epoch: 3 };
  const ends = [
    [{ epoch: 3, offset: 60 }, false],
    [{ epoch: 3, offset: 100 }, false],
    [{ epoch: 3, offset: 59 }, true],
    [{ epoch: 2, offset: 100 }, true],
    [{ epoch: -1, offset: -1 }, true],
  ] as const;
  for (const [end, lost] of ends) expect(isLost(position, end)).toBe(lost);
});
