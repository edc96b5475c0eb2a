import { afterEach, describe, expect, test, vi } from 'vitest';
import { CURVES, Curves, FINE_MS, Recorder, RejectedShare } from '../../src/watch/curves.ts';
import { MemoryStore } from '../graph/memory-store.ts';
import { MemoryLog } from '../pipeline/memory-log.ts';
import { updater } from '../pipeline/updater-fixture.ts';

/** Points every five seconds from 0; the lag of each point is the point's number. */
function filled(points: number): Curves {
  const history = new Curves();
  for (let i = 0; i < points; i++) {
    history.add({ at: i * FINE_MS, values: { lagRecords: i, loss: undefined } });
  }
  return history;
}

describe('the curves', () => {
  test('keeps every point of the last hour by column, with null for an unknown value', () => {
    const { at, curves } = filled(3).of('hour');
    expect(at).toEqual([0, 5_000, 10_000]);
    expect(curves['lagRecords']).toEqual([0, 1, 2]);
    expect(curves['loss']).toEqual([null, null, null]);
    expect(Object.keys(curves)).toEqual([...CURVES]);
  });

  test('keeps the mean of each minute for a day', () => {
    const { at, curves } = filled(24).of('day');
    // Points 0 … 11 and 12 … 23.
    expect(at).toEqual([55_000, 115_000]);
    expect(curves['lagRecords']).toEqual([5.5, 17.5]);
    expect(curves['loss']).toEqual([null, null]);
  });

  test('a mean leaves out unknown values', () => {
    const history = new Curves();
    for (let i = 0; i < 12; i++) history.add({ at: i * FINE_MS, values: i < 3 ? { loss: 2 + i } : {} });
    expect(history.of('day').curves['loss']).toEqual([3]);
  });

  test('is bounded to the newest 720 fine and 1,440 coarse points', () => {
    const history = filled(12 * 1_500);
    expect(history.of('hour').at).toHaveLength(720);
    expect(history.of('hour').at.at(-1)).toBe((12 * 1_500 - 1) * FINE_MS);
    expect(history.of('day').at).toHaveLength(1_440);
  });

  test('a number keeps four digits, and an infinite or missing number is null', () => {
    const history = new Curves();
    history.add({ at: 0, values: { loss: 1.234567, outbox: 1_234_567, mrrNew: Number.NaN } });
    const { curves } = history.of('hour');
    expect([curves['loss'], curves['outbox'], curves['mrrNew']]).toEqual([[1.235], [1_235_000], [null]]);
  });
});

test('the share of rejected events is of those between the oldest and the newest of sixty counts, and 0 where none came', () => {
  const share = new RejectedShare();
  expect(share.value).toBe(0);
  share.add({ read: 1_000, rejected: 900 });
  expect(share.value).toBe(0);
  share.add({ read: 1_100, rejected: 905 });
  expect(share.value).toBe(0.05);
  // The first count is out of the five minutes after sixty more.
  for (let i = 1; i <= 59; i++) share.add({ read: 1_100 + i, rejected: 905 + i });
  expect(share.value).toBe(1);
  const idle = new RejectedShare();
  idle.add({ read: 7, rejected: 7 });
  idle.add({ read: 7, rejected: 7 });
  expect(idle.value).toBe(0);
});

describe('a recorder', () => {
  afterEach(() => void vi.useRealTimers());

  test('knows a rate between two points, not over a gap or after another updater has begun', async () => {
    vi.useFakeTimers({ toFake: ['Date'] });
    const idle = updater(new MemoryLog(), new MemoryStore());
    const progress = idle.progress();
    await idle.close();
    let consumed = 0;
    const recorder = new Recorder({
      folder: import.meta.dirname,
      progress: () => ({ ...progress, events: { ...progress.events, consumed } }),
      lag: () => [],
    });
    for (const [at, events] of [
      [0, 10],
      [5_000, 60],
      [30_000, 90],
      [35_000, 5],
    ] as const) {
      vi.setSystemTime(at);
      consumed = events;
      await recorder.record();
    }
    expect(recorder.curves.of('hour').curves['eventsPerS']).toEqual([null, 10, null, null]);
  });
});
