import { getEventListeners } from 'node:events';
import { expect, test, vi } from 'vitest';
import { RetryableError } from '../../src/errors/errors.ts';
import { patiently } from '../../src/pipeline/patience.ts';

test('pauses leave nothing behind on a signal that outlives them, which ends the last at once', async () => {
  vi.useFakeTimers();
  const stopping = new AbortController();
  const gone = () => Promise.reject(new RetryableError('broker-unreachable', 'no broker answers'));
  const pauses: number[] = [];
  const ended = patiently(gone, stopping.signal, (_, pauseMs) => void pauses.push(pauseMs));
  ended.catch(() => undefined);
  await vi.advanceTimersByTimeAsync(10_000);
  expect(pauses).toEqual([200, 400, 800, 1_600, 3_200, 5_000]);
  expect(getEventListeners(stopping.signal, 'abort')).toHaveLength(1);
  stopping.abort();
  await expect(ended).rejects.toMatchObject({ code: 'stopped' });
  expect([vi.getTimerCount(), getEventListeners(stopping.signal, 'abort').length]).toEqual([0, 0]);
  vi.useRealTimers();
});
