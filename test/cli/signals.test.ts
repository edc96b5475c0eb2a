import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { hearSignals, type Stop, stopWithin } from '../../src/cli/signals.ts';
import { silentLog } from '../../src/log.ts';

let heard: Stop;
const exit = vi.spyOn(process, 'exit').mockImplementation(() => undefined as never);
beforeEach(() => {
  vi.useFakeTimers();
  exit.mockClear();
  heard = hearSignals();
});
afterEach(() => {
  heard[Symbol.dispose]();
  vi.useRealTimers();
});

describe('a signal', () => {
  test('stops once, and a second signal ends the process', () => {
    expect(heard.stopping.aborted).toBe(false);
    process.emit('SIGTERM', 'SIGTERM');
    expect(() => heard.stopping.throwIfAborted()).toThrow('interrupted by SIGTERM');
    // The parent passes the same signal on.
    process.emit('SIGTERM', 'SIGTERM');
    expect(exit).not.toHaveBeenCalled();
    vi.advanceTimersByTime(301);
    process.emit('SIGINT', 'SIGINT');
    expect(exit).toHaveBeenCalledWith(130);
  });

  test('has no effect after the command ended', () => {
    const before = process.listenerCount('SIGINT');
    heard[Symbol.dispose]();
    expect(process.listenerCount('SIGINT')).toBe(before - 1);
  });

  test.each([false, true])(
    'ends the process when the stop takes longer than its deadline; before it: %s',
    (before) => {
      const stop = vi.fn();
      if (before) process.emit('SIGINT', 'SIGINT');
      using _ = stopWithin(heard.stopping, { stopMs: 1_000, stop }, silentLog);
      if (!before) process.emit('SIGINT', 'SIGINT');
      vi.advanceTimersByTime(999);
      expect([stop.mock.calls.length, exit.mock.calls.length]).toEqual([1, 0]);
      vi.advanceTimersByTime(1);
      expect(exit).toHaveBeenCalledWith(1);
    },
  );

  test('has no deadline once the stop is through', () => {
    const ending = stopWithin(heard.stopping, { stopMs: 1_000, stop() {} }, silentLog);
    process.emit('SIGINT', 'SIGINT');
    ending[Symbol.dispose]();
    vi.advanceTimersByTime(5_000);
    expect(exit).not.toHaveBeenCalled();
  });
});
