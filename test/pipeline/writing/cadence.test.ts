import { expect, test } from 'vitest';
import { PendingCommit } from '../../../src/pipeline/reading/unwritten.ts';
import type { Pace } from '../../../src/pipeline/tuning.ts';
import { Cadence } from '../../../src/pipeline/writing/cadence.ts';

const START = 1_700_000_000_000;
const PACE: Pace = {
  batchEdges: 100,
  lingerMs: 50,
  commitEdges: 400,
  commitMs: 500,
  commitRows: 131_072,
  queueBytes: 1e6,
  maxOutbox: 1e6,
};
const IDLE = {
  publisher: { cleared: 0 },
  committer: { busy: false, held: 0 },
  index: { nextRow: 1_000_000 },
};
const FEW = { changedRows: 10 };

function setUp() {
  let now = START;
  const cadence = new Cadence(PACE, () => now);
  for (let i = 0; i < 2; i++) cadence.asked(1_000_000);
  const after = (ms: number) => {
    now = START + ms;
  };
  const pendingOf = (trained: number) => Object.assign(new PendingCommit(1), { trained, records: trained });
  return { cadence, after, pendingOf };
}

test('a commit is due by its edges, or by time unless one is being written', () => {
  const { cadence, after, pendingOf } = setUp();
  expect(cadence.isDue(pendingOf(399), IDLE, FEW)).toBe(false);
  expect(cadence.isDue(pendingOf(400), IDLE, FEW)).toBe(true);
  after(500);
  expect(cadence.isDue(pendingOf(1), IDLE, FEW)).toBe(true);
  expect(cadence.isDue(pendingOf(1), { ...IDLE, committer: { busy: true, held: 0 } }, FEW)).toBe(false);
  expect(cadence.isDue(pendingOf(0), IDLE, FEW)).toBe(false);
  expect(cadence.isDue(pendingOf(0), { ...IDLE, publisher: { cleared: 1 } }, FEW)).toBe(true);
  // The clock was set back.
  after(-3_600_000);
  expect(cadence.isDue(pendingOf(1), IDLE, FEW)).toBe(true);
});

test('commits grow while the updater is behind with a batch at hand, until it has caught up', () => {
  const { cadence, after, pendingOf } = setUp();
  after(600);
  cadence.look(START - 10_000, 5_000, undefined);
  expect(cadence.isDue(pendingOf(3_199), IDLE, FEW)).toBe(false);
  expect(cadence.isFull(pendingOf(3_199))).toBe(false);
  expect(cadence.isDue(pendingOf(3_200), IDLE, FEW)).toBe(true);
  after(4_000);
  expect(cadence.isDue(pendingOf(1), IDLE, FEW)).toBe(true);
  after(600);
  for (const [appliedAt, waiting] of [
    [START - 10_000, 1_000],
    [START - 1_000, 5_000],
    [undefined, 5_000],
  ] as const) {
    cadence.look(START - 10_000, 5_000, undefined);
    expect(cadence.isDue(pendingOf(1), IDLE, FEW)).toBe(false);
    cadence.look(appliedAt, waiting, undefined);
    expect(cadence.isDue(pendingOf(1), IDLE, FEW)).toBe(true);
  }
});

test('published vectors are held back for as long as the updater is behind, with reading or with publishing', () => {
  const { cadence, after } = setUp();
  const held = (late: number, waiting: number, unsentFor?: number) => {
    cadence.look(START - late, waiting, unsentFor === undefined ? undefined : START - unsentFor);
    return cadence.holdMs;
  };
  after(0);
  expect([held(20_000, 5_000), held(5_001, 5_000)]).toEqual([20_000, 5_001]);
  expect([held(5_000, 5_000), held(20_000, 1_000)]).toEqual([0, 0]);
  // Its vectors wait for the brokers, while it reads what comes as it comes.
  expect([held(10, 3, 5_000), held(10, 3, 5_001), held(20_000, 1_000, 6_000)]).toEqual([0, 5_001, 6_000]);
  expect([held(9_000, 5_000, 7_000), held(7_000, 5_000, 9_000)]).toEqual([9_000, 9_000]);
});

test('held back vectors are due once the updater has caught up, though no record comes', () => {
  const { cadence, after, pendingOf } = setUp();
  const due = (held: number) =>
    cadence.isDue(pendingOf(0), { ...IDLE, committer: { busy: false, held } }, FEW);
  after(9_000);
  cadence.look(START - 20_000, 5_000, undefined);
  expect(due(3)).toBe(false);
  cadence.look(START - 20_000, 0, undefined);
  expect([due(3), due(0)]).toEqual([true, false]);
  // Not while the brokers take none.
  cadence.look(START - 20_000, 0, START - 20_000);
  expect(due(3)).toBe(false);
});

test('the first commits of a process do not grow', () => {
  const { pendingOf } = setUp();
  const cadence = new Cadence(PACE, () => START);
  cadence.begin(1_000_000);
  for (const due of [true, true, false]) {
    cadence.look(START - 10_000, 5_000, undefined);
    expect(cadence.isDue(pendingOf(400), IDLE, FEW)).toBe(due);
    cadence.asked(1_000_000);
  }
});

test('a commit of an updater that is behind stays within the row cap', () => {
  const { cadence, pendingOf } = setUp();
  cadence.look(START - 10_000, 5_000, undefined);
  expect(cadence.isDue(pendingOf(500), IDLE, { changedRows: 131_071 })).toBe(false);
  expect(cadence.isDue(pendingOf(500), IDLE, { changedRows: 131_072 })).toBe(true);
  expect(cadence.isDue(pendingOf(399), IDLE, { changedRows: 131_072 })).toBe(false);
  // All rows of a table that is not much larger.
  const small = { ...IDLE, index: { nextRow: 163_840 } };
  expect(cadence.isDue(pendingOf(500), small, { changedRows: 163_840 })).toBe(false);
});

test('where batches are cut by count alone, so are commits, and nothing is held back however far behind', () => {
  const { pendingOf } = setUp();
  const cadence = new Cadence({ ...PACE, lingerMs: Number.POSITIVE_INFINITY }, () => START);
  for (let i = 0; i < 2; i++) cadence.asked(1_000_000);
  cadence.look(START - 10_000, 5_000, undefined);
  expect(cadence.isDue(pendingOf(400), IDLE, FEW)).toBe(true);
  expect(cadence.holdMs).toBe(0);
});

test('where commits may be as large as memory allows, the table at the last commit alone decides their size', () => {
  const { pendingOf } = setUp();
  const counted = (rowsPerEdge: number, rows: number) => {
    const cadence = new Cadence({ ...PACE, lingerMs: Number.POSITIVE_INFINITY, rowsPerEdge }, () => START);
    cadence.begin(rows);
    cadence.look(START - 10_000, 5_000, undefined);
    const due = (trained: number) => cadence.isDue(pendingOf(trained), IDLE, { changedRows: 1e6 });
    return { cadence, due };
  };
  const small = counted(1_000, 163_840);
  expect([3_199, 3_200].map(small.due)).toEqual([false, true]);
  // The table that there was at the last commit, not the one that there is.
  small.cadence.asked(163_841);
  expect([399, 400].map(small.due)).toEqual([false, true]);
  small.cadence.asked(163_840);
  expect([3_199, 3_200].map(small.due)).toEqual([false, true]);
  // 131,072 rows, of 100 an edge: three times 400 edges; of 1 an edge, no more than a small table's.
  expect([1_199, 1_200].map(counted(100, 1e6).due)).toEqual([false, true]);
  expect([3_199, 3_200].map(counted(1, 1e6).due)).toEqual([false, true]);
});
