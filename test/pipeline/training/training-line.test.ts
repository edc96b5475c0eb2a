import { expect, test } from 'vitest';
import { noNeighbours } from '../../../src/pipeline/neighbours.ts';
import { Unwritten } from '../../../src/pipeline/reading/unwritten.ts';
import { decodeJournal, encodeJournal } from '../../../src/pipeline/training/batch-codec.ts';
import { TrainingSummary } from '../../../src/pipeline/training/summary.ts';
import type { TrainBatch, TrainReport } from '../../../src/pipeline/training/trainer.ts';
import { TrainingLine } from '../../../src/pipeline/training/training-line.ts';
import { turns } from '../updater-fixture.ts';
import { NO_LIMITS, reportOf, StandInTrainer } from './stand-in-trainer.ts';
import { saidBy } from './trainer-fixture.ts';

const START = 1_700_000_000_000;

interface Given {
  readonly lingerMs?: number;
  readonly isTrained?: boolean;
  readonly isShard?: boolean;
  readonly train?: StandInTrainer['train'];
}

function setUp({ lingerMs = 50, isTrained = true, isShard = false, train }: Given = {}) {
  const now = { ms: START };
  const trainer = new StandInTrainer();
  if (train !== undefined) trainer.train = train;
  const unwritten = new Unwritten();
  const line = new TrainingLine({
    trainer,
    summary: new TrainingSummary([]),
    measures: {},
    journal: (packed) => unwritten.open.batches.push(packed),
    neighbours: { ...noNeighbours(), ...(isShard && { topic: 'exchange' }) },
    index: { nextRow: 0 },
    limits: NO_LIMITS,
    tuning: { lingerMs },
    clock: () => now.ms,
    isTrained: () => isTrained,
    failed: (error) => {
      throw error;
    },
  });
  return { line, unwritten, now };
}

test.each([50, Number.POSITIVE_INFINITY])(
  'with a linger of %f ms a batch is due by its age, also where the clock was set back',
  (lingerMs) => {
    const { line, now } = setUp({ lingerMs });
    const dueAfter = (ms: number) => {
      now.ms = START + ms;
      return line.dueInMs;
    };
    expect(dueAfter(0)).toBe(Number.POSITIVE_INFINITY);
    line.open.begin(START, START);
    const byAge = [0, 30, 60, -3_600_000].map(dueAfter);
    expect(byAge).toEqual(lingerMs === 50 ? [50, 20, 0, 0] : byAge.map(() => lingerMs));
  },
);

test.each([
  [6, true, false],
  [2, true, true],
  [64, false, false],
  [64, false, true],
])(
  'waits once %i batches are with the trainer, where that its journal is trained is %s, and that it is a shard is %s',
  async (most, isTrained, isShard) => {
    const answer = Promise.withResolvers<TrainReport>();
    const { line } = setUp({ isTrained, isShard, train: () => answer.promise });
    let handed = 0;
    const hand = async () => {
      line.open.changed(4, 1, 5, false, true);
      await line.hand();
      handed++;
    };
    for (let given = 1; given < most; given++) await hand();
    const last = hand();
    await turns(5);
    expect(handed).toBe(most - 1);
    answer.resolve(reportOf({}));
    await last;
  },
);

test('batches come in bursts: the next once one is left, and the event loop has its turn between them', async () => {
  const answers = Array.from({ length: 7 }, () => Promise.withResolvers<TrainReport>());
  let given = 0;
  const { line } = setUp({ train: () => answers[given++]!.promise });
  let seen = 0;
  setImmediate(() => {
    seen = given;
  });
  const handing = (async () => {
    for (let i = 0; i < 7; i++) {
      line.open.newEntity(0);
      await line.hand();
    }
  })();
  for (const [i, answer] of answers.entries()) {
    await turns(10);
    expect(given).toBe(i < 5 ? 6 : 7);
    answer.resolve(reportOf({}));
  }
  await handing;
  expect(seen).toBe(1);
});

test('what the trainer is given is kept for the journal of the commit that is open, though the trainer takes its memory', async () => {
  const given: unknown[] = [];
  const train = async ({ numbers }: TrainBatch) => {
    given.push(saidBy(structuredClone(numbers, { transfer: [numbers.buffer] })));
    return reportOf({});
  };
  const { line, unwritten } = setUp({ train });
  line.open.newEntity(1);
  line.open.changed(4, 1, 5, false, true);
  await line.hand();
  line.open.drop(5);
  await line.hand();
  // Nothing came: nothing is given.
  await line.hand();
  const first = unwritten.close();
  line.open.reset(4);
  await line.hand();
  await line.settled();
  const kept = [first, unwritten.open].map(
    ({ batches }) => decodeJournal(encodeJournal(batches, [])).batches,
  );
  expect(kept.map(({ length }) => length)).toEqual([2, 1]);
  expect(kept.flat().map(({ numbers }) => saidBy(numbers))).toEqual(given);
  expect(given).toMatchObject([{ newTypes: [1], trained: ['4 1 5'] }, { dropped: [5] }, { reset: [4] }]);
});

test('sums up the processor time that batches took', async () => {
  const answers = [3, 0, 0.5].map((workMs) => reportOf({ workMs }));
  const { line } = setUp({ train: async () => answers.shift()! });
  while (answers.length > 0) {
    line.open.newEntity(0);
    await line.hand();
  }
  await line.settled();
  expect(line.busyMs).toBe(3.5);
});
