import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { FatalError, RetryableError } from '../../src/errors/errors.ts';
import { Delivery, SEND_FAILURES } from '../../src/pipeline/delivery.ts';
import { FaultySink, keptLog } from './faulty-sink.ts';

const messages = [{ topic: 't', key: 'k', value: null, headers: {} }];

describe('Delivery', () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  test('retries after 0.2, 0.4, 0.8 … up to 5 seconds, and logs each retry', async () => {
    const sink = new FaultySink();
    const log = keptLog();
    const delivery = new Delivery(sink, log);
    const sent = delivery.send(messages, 'vectors');
    const pauses = [200, 400, 800, 1600, 3200, 5_000, 5_000];
    for (const [i, pause] of pauses.entries()) {
      await sink.outOfReach();
      await vi.advanceTimersByTimeAsync(pause - 1);
      expect(sink.attempts).toBe(i + 1);
      await vi.advanceTimersByTimeAsync(1);
      expect(sink.attempts).toBe(i + 2);
    }
    await sink.acknowledge();
    await sent;
    expect(sink.acknowledged).toEqual(messages);
    expect(delivery.retries).toBe(pauses.length);
    expect(log.lines).toHaveLength(pauses.length);
    expect(log.lines[1]).toEqual({
      fields: { messages: 1, code: 'not-acknowledged', reason: 'no broker answers', backoffMs: 400 },
      message: 'vectors could not be published; trying again',
    });
  });

  test('counts failures by code, from a fixed list of codes', async () => {
    const sink = new FaultySink();
    const delivery = new Delivery(sink, keptLog());
    const none = Object.fromEntries(SEND_FAILURES.map((code) => [code, 0]));
    expect(Object.fromEntries(delivery.failures)).toEqual(none);
    const send = () => delivery.send(messages, 'vectors').catch(() => undefined);
    const sent = send();
    for (let i = 0; i < 2; i++) {
      await sink.outOfReach();
      await vi.advanceTimersByTimeAsync(400);
    }
    await sink.fail(new RetryableError('refused', 'not granted'));
    await vi.advanceTimersByTimeAsync(800);
    await sink.acknowledge();
    await sent;
    for (const code of ['fenced', 'not-authorized'] as const) {
      const ended = send();
      await sink.fail(new FatalError(code, 'it ends'));
      await ended;
    }
    // A stop is not a failure.
    const ended = send();
    await sink.fail(new RetryableError('stopped', 'the sink is stopped'));
    await ended;
    const failures = { ...none, 'not-acknowledged': 2, refused: 1, fenced: 1, other: 1 };
    expect(Object.fromEntries(delivery.failures)).toEqual(failures);
    expect(delivery.retries).toBe(3);
  });

  test('does not retry a failure that no retry can help', async () => {
    const sink = new FaultySink();
    const sent = new Delivery(sink, keptLog()).send(messages, 'vectors');
    sent.catch(() => undefined);
    await sink.refuse();
    await expect(sent).rejects.toMatchObject({ code: 'not-authorized' });
    expect(sink.attempts).toBe(1);
  });

  test('stopped in the middle of a pause, makes no other attempt', async () => {
    const sink = new FaultySink();
    const delivery = new Delivery(sink, keptLog());
    const sent = delivery.send(messages, 'vectors');
    sent.catch(() => undefined);
    await sink.outOfReach();
    await vi.advanceTimersByTimeAsync(1);
    expect(vi.getTimerCount()).toBe(1);
    delivery.stop();
    await expect(sent).rejects.toMatchObject({ code: 'stopped' });
    expect([sink.attempts, vi.getTimerCount()]).toEqual([1, 0]);
  });
});
