import { expect, test } from 'vitest';
import { PendingCommit } from '../../../src/pipeline/reading/unwritten.ts';
import type { Tuning } from '../../../src/pipeline/tuning.ts';
import { Cadence } from '../../../src/pipeline/writing/cadence.ts';

const START = 1_700_000_000_000;
const PACE: Omit<Tuning, 'epsilon' | 'readyLagMs'> = {
  batchEdges: 100,
  lingerMs: 50,
  commitEdges: 400,
  commitMs: 500,
  recoverMs: 15_000,
  queueBytes: 1e6,
  maxOutbox: 1e6,
  stopMs: 30_000,
  maxAgeMs: 60_000,
};
const IDLE = { busy: false, held: 0, isOutdated: false };

function setUp(pace: Partial<typeof PACE> = {}) {
  let now = START;
  const cadence = new Cadence({ ...PACE, ...pace }, () => now);
  const after = (ms: number) => {
    now = START + ms;
  };
  /** Whether a commit of so many edges, a record each, is due. */
  const due = (trained: number, committer: Partial<typeof IDLE> = {}) =>
    cadence.isDue(Object.assign(new PendingCommit(1), { trained, records: trained }), {
      ...IDLE,
      ...committer,
    });
  return { cadence, after, due };
}

test('a commit is due by its edges, or by time unless one is being written', () => {
  const { cadence, after, due } = setUp();
  expect([due(399), due(400)]).toEqual([false, true]);
  after(499);
  expect(due(1)).toBe(false);
  after(500);
  expect(due(1)).toBe(true);
  expect([due(1, { busy: true }), due(400, { busy: true })]).toEqual([false, true]);
  cadence.asked();
  expect(due(1)).toBe(false);
  // The clock was set back.
  after(-3_600_000);
  expect(due(1)).toBe(true);
});

test('without a record, a commit is due only where the head says what is no longer so', () => {
  const { after, due } = setUp();
  expect(due(0, { isOutdated: true })).toBe(false);
  after(500);
  expect([due(0), due(0, { isOutdated: true })]).toEqual([false, true]);
  expect(due(0, { isOutdated: true, busy: true })).toBe(false);
});

test('commits by time are half as frequent while the updater is behind, and as large as they always are', () => {
  const { cadence, after, due } = setUp();
  cadence.look(START - 10_000, 5_000, undefined);
  expect([due(399), due(400)]).toEqual([false, true]);
  after(999);
  expect([due(1), due(0, { isOutdated: true })]).toEqual([false, false]);
  after(1_000);
  expect([due(1), due(0, { isOutdated: true })]).toEqual([true, true]);
  cadence.look(START - 10_000, 0, undefined);
  cadence.asked();
  after(1_500);
  expect(due(1)).toBe(true);
});

test('a commit that holds as many changes as a commit and a batch of edges is full, and due', () => {
  const { cadence, due } = setUp();
  const pending = new PendingCommit(1);
  const change = (n: number) => pending.edges.set(`edge ${n}`, null);
  for (let n = 0; n < 500; n++) change(n);
  const seen = () => [cadence.isFull(pending), cadence.isDue(pending, { ...IDLE, busy: true })];
  expect([seen(), due(1)]).toEqual([[false, false], false]);
  change(500);
  expect(seen()).toEqual([true, true]);
});

test('published vectors are held back for eight times as long as the updater is behind, with reading or with publishing', () => {
  const { cadence, after } = setUp();
  const held = (late: number, waiting: number, unsentFor?: number) => {
    cadence.look(START - late, waiting, unsentFor === undefined ? undefined : START - unsentFor);
    return cadence.holdMs / 8;
  };
  after(0);
  expect([held(20_000, 5_000), held(5_001, 5_000)]).toEqual([20_000, 5_001]);
  expect([held(5_000, 5_000), held(20_000, 1_000)]).toEqual([0, 0]);
  // Its vectors wait for the brokers, while it reads what comes as it comes.
  expect([held(10, 3, 5_000), held(10, 3, 5_001), held(20_000, 1_000, 6_000)]).toEqual([0, 5_001, 6_000]);
  expect([held(9_000, 5_000, 7_000), held(7_000, 5_000, 9_000)]).toEqual([9_000, 9_000]);
  // At most for four times the age at which a vector is published again.
  expect(held(40_000, 5_000)).toBe(30_000);
  // Nothing was applied yet.
  cadence.look(undefined, 5_000, undefined);
  expect(cadence.holdMs).toBe(0);
});

test('held back vectors are due once the updater has caught up, though no record comes', () => {
  const { cadence, after, due } = setUp();
  after(9_000);
  cadence.look(START - 20_000, 5_000, undefined);
  expect(due(0, { held: 3 })).toBe(false);
  cadence.look(START - 20_000, 0, undefined);
  expect([due(0, { held: 3 }), due(0)]).toEqual([true, false]);
  // Not while the brokers take none.
  cadence.look(START - 20_000, 0, START - 20_000);
  expect(due(0, { held: 3 })).toBe(false);
});

test('where batches are cut by count alone, nothing is held back however far behind', () => {
  const { cadence } = setUp({ lingerMs: Number.POSITIVE_INFINITY });
  cadence.look(START - 10_000, 5_000, START - 10_000);
  expect(cadence.holdMs).toBe(0);
});
