import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { type Failure, retrying } from '../../src/adapters/backoff.ts';
import { FatalError, RetryableError } from '../../src/errors/errors.ts';

const { waits } = vi.hoisted(() => ({ waits: [] as number[] }));
let now = 0;
let waited: () => void = () => {};

vi.mock('node:timers/promises', () => ({
  setTimeout: async (ms: number) => {
    waits.push(ms);
    now += ms;
    waited();
  },
}));

beforeEach(() => {
  waits.length = 0;
  waited = () => {};
  now = 1_000;
  vi.spyOn(Date, 'now').mockImplementation(() => now);
});
afterEach(() => vi.restoreAllMocks());

const passing = new RetryableError('no-leader', 'nobody leads');
const failing = async (): Promise<never> => {
  throw passing;
};

test('waits are doubled up to 5 s, less up to half, and each failure is told', async () => {
  const told: Failure[] = [];
  const mayPass = ({ attempt }: Failure) => attempt < 9;
  await expect(retrying(failing, { mayPass, onTrouble: (each) => told.push(each) })).rejects.toBe(passing);
  const full = [200, 400, 800, 1600, 3200, 5000, 5000, 5000];
  expect(waits.length).toBe(full.length);
  for (const [i, ms] of full.entries()) {
    expect(waits[i]).toBeLessThanOrEqual(ms);
    expect(waits[i]).toBeGreaterThanOrEqual(ms / 2);
  }
  expect(told.map(({ attempt }) => attempt)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
  expect(told.every(({ since, error }) => since === 1_000 && error === passing)).toBe(true);
});

test('a failure after the work was heard of is a first one', async () => {
  const told: Failure[] = [];
  const work = async (heard: () => void) => {
    if (told.length === 3) return 'done';
    if (told.length === 2) heard();
    throw passing;
  };
  expect(await retrying(work, { onTrouble: (each) => told.push(each) })).toBe('done');
  expect(told.map(({ attempt }) => attempt)).toEqual([1, 2, 1]);
  expect(told[2]?.since).toBe(1_000 + waits[0]! + waits[1]!);
});

test('the last attempt begins at the end of the time', async () => {
  const begun: number[] = [];
  const work = () => {
    begun.push(now);
    return failing();
  };
  await expect(retrying(work, { until: 4_000 })).rejects.toBe(passing);
  expect(begun.at(-1)).toBe(4_000);
});

test('a failure that can not pass is thrown at once', async () => {
  const fatal = new FatalError('fault', 'no');
  await expect(retrying(() => Promise.reject(fatal), {})).rejects.toBe(fatal);
  expect(waits).toEqual([]);
});

test('nothing is retried after the signal, which fires during an attempt or a wait', async () => {
  for (const during of ['attempt', 'wait']) {
    const stopping = new AbortController();
    let attempts = 0;
    const work = () => {
      attempts++;
      if (during === 'attempt') stopping.abort();
      else waited = () => stopping.abort();
      return failing();
    };
    await expect(retrying(work, { signal: stopping.signal })).rejects.toBe(passing);
    expect(attempts).toBe(1);
  }
});
