import { expect, test } from 'vitest';
import { ProgressMeter } from '../../src/replay/progress.ts';

test('what is done of all, the pace since it began, and how long the rest takes', () => {
  let now = 0;
  const reached = [100, 20];
  const stretches = [
    { topic: 't', partition: 0, from: 50, until: 250 },
    { topic: 't', partition: 1, from: 0, until: 100 },
    { topic: 't', partition: 2, from: 9, until: 9 },
  ];
  const meter = new ProgressMeter(
    stretches,
    ({ partition }) => reached[partition] ?? 9,
    () => now,
  );
  expect(meter.read()).toMatchObject({ done: 70, of: 300, perSecond: 0, leftS: undefined });
  now = 10_000;
  meter.begin();
  now = 15_000;
  meter.begin();
  reached[0] = 130;
  // 30 more in 5 s are 6 a second; 200 are left.
  expect(meter.read()).toEqual({
    done: 100,
    of: 300,
    perSecond: 6,
    leftS: 200 / 6,
    partitions: [
      { topic: 't', partition: 0, done: 80, of: 200 },
      { topic: 't', partition: 1, done: 20, of: 100 },
    ],
  });
});
