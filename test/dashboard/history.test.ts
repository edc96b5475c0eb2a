import { describe, expect, test } from 'vitest';
import { bracketOf, CURVES, FINE_MS, History } from '../../src/dashboard/history.ts';

/** Points every five seconds from 0; the lag of each point is the point's number. */
function filled(points: number): History {
  const history = new History();
  for (let i = 0; i < points; i++) {
    history.add({ at: i * FINE_MS, values: { lagRecords: i, loss: undefined } });
  }
  return history;
}

describe('History', () => {
  test('keeps every point of the last hour by column, with null for an unknown value', () => {
    const { at, curves } = filled(3).hour();
    expect(at).toEqual([0, 5_000, 10_000]);
    expect(curves['lagRecords']).toEqual([0, 1, 2]);
    expect(curves['loss']).toEqual([null, null, null]);
    expect(Object.keys(curves)).toEqual([...CURVES]);
  });

  test('keeps the mean of each minute for a day', () => {
    const { at, curves } = filled(24).day();
    // Points 0 … 11 and 12 … 23.
    expect(at).toEqual([55_000, 115_000]);
    expect(curves['lagRecords']).toEqual([5.5, 17.5]);
    expect(curves['loss']).toEqual([null, null]);
  });

  test('a mean leaves out unknown values', () => {
    const history = new History();
    for (let i = 0; i < 12; i++) history.add({ at: i * FINE_MS, values: i < 3 ? { loss: 2 + i } : {} });
    expect(history.day().curves['loss']).toEqual([3]);
  });

  test('is bounded to the newest 720 fine and 1,440 coarse points', () => {
    const history = filled(12 * 1_500);
    expect(history.hour().at).toHaveLength(720);
    expect(history.hour().at.at(-1)).toBe((12 * 1_500 - 1) * FINE_MS);
    expect(history.day().at).toHaveLength(1_440);
    for (let i = 0; i < 60; i++) history.started(i);
    expect([history.starts.length, history.starts[0], history.starts.at(-1)]).toEqual([50, 10, 59]);
    expect(history.toText().length).toBeLessThan(300_000);
  });

  test('is read back from its text unchanged, and takes further points', () => {
    const before = filled(30);
    before.started(7);
    const after = History.fromText(before.toText());
    expect([after.hour(), after.day(), after.starts]).toEqual([before.hour(), before.day(), [7]]);
    after.add({ at: 30 * FINE_MS, values: { lagRecords: 30 } });
    expect(after.hour().curves['lagRecords']?.slice(-2)).toEqual([29, 30]);
    expect(() => History.fromText('{"format":2}')).toThrow();
  });

  test('a number keeps four digits, and an infinite or missing number is null', () => {
    const history = new History();
    history.add({ at: 0, values: { loss: 1.234567, outbox: 1_234_567, mrrNew: Number.NaN } });
    const { curves } = history.hour();
    expect([curves['loss'], curves['outbox'], curves['mrrNew']]).toEqual([[1.235], [1_235_000], [null]]);
  });

  test('a step keeps all digits, and a minute keeps its last step, so that the time of a step is found', () => {
    const before = new History();
    const step = (i: number) => 10_000_000 + 7 * i;
    for (let i = 0; i < 900; i++) before.add({ at: i * FINE_MS, values: { step: step(i) } });
    expect(before.hour().curves['step']?.at(-1)).toBe(10_006_293);
    // Of points 0 … 11.
    expect([before.day().at[0], before.day().curves['step']?.[0]]).toEqual([55_000, 10_000_077]);
    for (const history of [before, History.fromText(before.toText())]) {
      // Fine points begin at 180, which is 900 s.
      expect(history.when(step(500))).toEqual({ from: 499 * FINE_MS, to: 500 * FINE_MS });
      expect(history.when(step(500) - 3)).toEqual({ from: 499 * FINE_MS, to: 500 * FINE_MS });
      expect(history.when(step(100))).toEqual({ from: 95 * FINE_MS, to: 107 * FINE_MS });
      expect(history.when(step(899) + 1)).toEqual({ from: 899 * FINE_MS });
      expect(history.when(3)).toEqual({ to: 55_000 });
    }
  });

  test('a text from before steps were kept is read; the time of a step is then unknown', () => {
    const { step: _, ...curves } = filled(2).hour().curves;
    const hour = { at: [0, 5_000], curves };
    const text = JSON.stringify({ format: 1, starts: [1], hour, day: { at: [], curves: {} } });
    const history = History.fromText(text);
    expect(history.hour().curves['lagRecords']).toEqual([0, 1]);
    expect(history.when(1)).toEqual({});
    history.add({ at: 10_000, values: { step: 4 } });
    expect([history.when(4), history.when(5)]).toEqual([{ to: 10_000 }, { from: 10_000 }]);
  });
});

const points = (...steps: (number | undefined)[]) => steps.map((step, i) => ({ at: 100 * (i + 1), step }));

describe('the points around a step', () => {
  test.each([
    [
      'the last point below the step and the first point above',
      15,
      points(10, 20, 30),
      { from: 100, to: 200 },
    ],
    [
      'the first point with the step itself ends the bracket',
      20,
      points(10, 20, 20, 30),
      { from: 100, to: 200 },
    ],
    ['a step before the oldest point', 5, points(10, 20), { to: 100 }],
    ['a step after the newest point', 25, points(10, 20), { from: 200 }],
    ['points without a step are skipped', 15, points(undefined, 10, undefined, 20), { from: 200, to: 400 }],
    ['unknown if no point has a step', 1, points(undefined, undefined), {}],
    ['unknown if there is no point', 1, [], {}],
    [
      'the current training run counts, not an earlier run with higher steps',
      7,
      points(5, 90, 6, 8),
      {
        from: 300,
        to: 400,
      },
    ],
    ['a step before the first point of the current training run', 3, points(1, 90, 6, 8), { to: 300 }],
  ])('%s', (_, step, given, bracket) => {
    expect(bracketOf(step, given)).toEqual(bracket);
  });
});
