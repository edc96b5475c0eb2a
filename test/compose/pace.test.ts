import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { constants, getPriority } from 'node:os';
import { describe, expect, test } from 'vitest';
import { cpuLimit, lowerPriority, rateLimit } from '../../src/compose/pace.ts';
import type { Limit } from '../../src/replay/merged-log.ts';

/** Hands over until `untilMs`, waiting as told; each hand-over takes `tookMs`. Gives how many records it were. */
function handedOver(limit: Limit, clock: { ms: number }, untilMs: number, took: () => number): number {
  let records = 0;
  while (clock.ms < untilMs) {
    clock.ms += took();
    records += limit.records;
    clock.ms += limit.waitMs(limit.records);
  }
  return records;
}

describe('a rate', () => {
  test.each([3, 50, 20_000])('of %i records a second is kept, and reached', (rate) => {
    const clock = { ms: 0 };
    const records = handedOver(
      rateLimit(rate, () => clock.ms),
      clock,
      60_000,
      () => 0.01,
    );
    expect(records).toBeGreaterThan(59 * rate);
    expect(records).toBeLessThanOrEqual(60.5 * rate + 1);
  });
});

describe('a share of a core', () => {
  test.each([0.1, 0.5, 0.9])('of %f is kept over time, whatever a hand-over costs', (share) => {
    const clock = { ms: 0 };
    let cpuMs = 1234;
    const began = cpuMs;
    let turn = 0;
    handedOver(
      cpuLimit(
        share,
        () => clock.ms,
        () => cpuMs,
      ),
      clock,
      60_000,
      () => {
        // Two threads at once: twice as much processor as time, now little and now a lot.
        const took = turn++ % 10 === 0 ? 20 : 3;
        cpuMs += 2 * took;
        return took;
      },
    );
    const used = (cpuMs - began) / clock.ms;
    expect(used).toBeGreaterThan(share * 0.95);
    expect(used).toBeLessThan(share * 1.02);
  });

  test('an hour of waiting for the log is not followed by an hour of full speed', () => {
    const clock = { ms: 0 };
    let cpuMs = 0;
    const limit = cpuLimit(
      0.5,
      () => clock.ms,
      () => cpuMs,
    );
    clock.ms = 3_600_000;
    cpuMs = 1_000;
    // A second's work is two seconds' share, less the tenth of a second that is saved up.
    expect(limit.waitMs(1)).toBeCloseTo(1_900);
  });
});

describe('the priority', () => {
  test('is lowered although one of the listed threads has ended', async () => {
    const ended = spawn(process.execPath, ['--version']);
    await once(ended, 'exit');
    const waiting = spawn(process.execPath, ['-e', 'process.stdin.resume()']);
    lowerPriority([ended.pid ?? 0, waiting.pid ?? 0]);
    expect(getPriority(waiting.pid)).toBe(constants.priority.PRIORITY_LOW);
    waiting.stdin.end();
    await once(waiting, 'exit');
  });
});
