import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { LoadedPipeline } from '../../src/pipeline/loaded-pipeline.ts';
import { readinessOf } from '../../src/pipeline/readiness.ts';
import type { PartitionLag } from '../../src/pipeline/reading/lag.ts';
import { TUNING } from './updater-fixture.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

const NOW = 100_000;

interface Seen {
  readonly lag?: PartitionLag[];
  /** When the commit that is being written was asked for. */
  readonly since?: number;
  readonly waits?: string;
  readonly outbox?: number;
  /** What is not acknowledged, because the brokers deny it. */
  readonly denied?: readonly string[];
  readonly isTrained?: boolean;
}

function setUp(of: Seen = {}) {
  let asked = 0;
  const answers: PromiseWithResolvers<void>[] = [];
  const confirm = () => {
    asked++;
    const answer = Promise.withResolvers<void>();
    answers.push(answer);
    return answer.promise;
  };
  const troubles = of.denied?.map((what) => [what, `${what} are not acknowledged: denied`] as const);
  const parts = {
    publisher: { delivery: { troubles: new Map(troubles) }, outbox: { size: of.outbox ?? 0 } },
    committer: { writing: of.since && { asked: of.since, waits: of.waits ?? 'the disk' } },
    lag: { byPartition: () => of.lag ?? [] },
  };
  const pipeline = { isTrained: of.isTrained ?? true, parts } as never as LoadedPipeline;
  const options = { tuning: { ...TUNING, maxOutbox: 9, readyLagMs: 60_000 }, clock: () => NOW };
  const readiness = readinessOf({ ...options, leadership: { confirm } as never });
  const reasons = async (answered = true) => {
    const told = readiness('running', pipeline);
    if (answered) answers.at(-1)?.resolve();
    else await vi.advanceTimersByTimeAsync(1_000);
    return told;
  };
  return { readiness, reasons, asked: () => asked, answers, pipeline };
}

test('is ready when nothing is wrong, and says its phase while it does not run', async () => {
  const { readiness, reasons } = setUp({ since: NOW - 30_000 });
  expect(await reasons()).toEqual([]);
  expect(await readiness('loading', undefined)).toEqual(['it is loading']);
});

test('says each thing that is wrong', async () => {
  const lag = [
    { topic: 'follow', partition: 0, records: 0, seconds: 0 },
    { topic: 'follow', partition: 1, records: 7, seconds: 61 },
    { topic: 'follow', partition: 2, records: 7, seconds: undefined },
  ];
  const { reasons } = setUp({
    lag,
    since: NOW - 31_000,
    outbox: 9,
    denied: ['vectors'],
    isTrained: false,
  });
  expect(await reasons()).toEqual([
    'vectors are not acknowledged: denied',
    'a commit is not through for 31 s: it waits for the disk',
    'it trains what its journal holds: vectors are as of its checkpoint',
    'reading pauses: 9 vectors wait to be acknowledged, publish.maxOutbox is 9',
    'follow 1 is 61 s behind (7 records), limits.readyLagMs is 60000',
  ]);
});

test('says at once that a commit waits for dead letters, and why, whatever its phase', async () => {
  const { readiness, reasons, pipeline } = setUp({
    since: NOW - 400,
    waits: 'dead letters',
    denied: ['dead letters'],
  });
  const said = [
    'dead letters are not acknowledged: denied',
    'a commit is not through for 0 s: it waits for dead letters',
  ];
  expect(await reasons()).toEqual(said);
  expect(await readiness('taking-over', pipeline)).toEqual(['it is taking-over', ...said]);
});

test('asks the group once, however often and long nobody answers, and again after the answer', async () => {
  const { reasons, asked, answers } = setUp();
  for (let i = 0; i < 5; i++) {
    expect(await reasons(false)).toEqual(['the brokers do not answer the group']);
  }
  expect(asked()).toBe(1);
  answers[0]?.resolve();
  await vi.advanceTimersByTimeAsync(0);
  expect(await reasons()).toEqual([]);
  expect(asked()).toBe(2);
});
