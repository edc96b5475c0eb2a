import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { onSignal, type Signals, stopOnSignal } from '../../src/cli/signals.ts';
import { silentLog } from '../../src/log.ts';

let signals: Signals | undefined;
const exit = vi.spyOn(process, 'exit').mockImplementation(() => undefined as never);
beforeEach(() => {
  vi.useFakeTimers();
  exit.mockClear();
});
afterEach(() => {
  signals?.ignore();
  vi.useRealTimers();
});

describe('a signal', () => {
  test('stops once, and a second signal ends the process', () => {
    const stop = vi.fn();
    signals = onSignal(stop);
    expect(signals.interrupted()).toBe(false);
    process.emit('SIGTERM', 'SIGTERM');
    expect(stop.mock.calls).toEqual([['SIGTERM']]);
    expect([signals.interrupted(), signals.stopping.aborted]).toEqual([true, true]);
    // The parent passes the same signal on.
    process.emit('SIGTERM', 'SIGTERM');
    expect(exit).not.toHaveBeenCalled();
    vi.advanceTimersByTime(301);
    process.emit('SIGINT', 'SIGINT');
    expect(exit).toHaveBeenCalledWith(1);
  });

  test('has no effect after the command ended', () => {
    const before = process.listenerCount('SIGINT');
    onSignal().ignore();
    expect(process.listenerCount('SIGINT')).toBe(before);
  });

  test('ends the process when the stop takes longer than its deadline', () => {
    const stop = vi.fn();
    signals = stopOnSignal({ stopMs: 1_000, stop }, silentLog);
    process.emit('SIGINT', 'SIGINT');
    vi.advanceTimersByTime(999);
    expect([stop.mock.calls.length, exit.mock.calls.length]).toEqual([1, 0]);
    vi.advanceTimersByTime(1);
    expect(exit).toHaveBeenCalledWith(1);
  });

  test('has no deadline once the stop is through', () => {
    signals = stopOnSignal({ stopMs: 1_000, stop() {} }, silentLog);
    process.emit('SIGINT', 'SIGINT');
    signals.ignore();
    vi.advanceTimersByTime(5_000);
    expect(exit).not.toHaveBeenCalled();
  });
});
