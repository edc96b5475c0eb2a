import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { FatalError, RetryableError } from '../../src/errors/errors.ts';
import { Delivery, SEND_FAILURES } from '../../src/pipeline/delivery.ts';
import type { Message } from '../../src/pipeline/ports.ts';
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
    expect([...delivery.troubles.values()]).toEqual(['vectors are not acknowledged: no broker answers']);
    await sink.acknowledge();
    await sent;
    expect(delivery.troubles.size).toBe(0);
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

  test('letters that are too large go in halves, then in their least form; what is refused even so is counted and left out', async () => {
    // A topic that takes batches of three kilobytes.
    const taken: Message[] = [];
    const attempts: number[] = [];
    const publish = async (messages: readonly Message[]) => {
      attempts.push(messages.length);
      if (messages.reduce((sum, { value }) => sum + (value?.length ?? 0), 0) > 3_000)
        throw new RetryableError('message-too-large', 'raise max.message.bytes of topic dead');
      taken.push(...messages);
    };
    const log = keptLog();
    const delivery = new Delivery({ publish, takeOver: async () => {}, stop: async () => {} }, log);
    const letter = (key: string, bytes: number, least?: Message): Message => ({
      ...{ topic: 'dead', key, value: Buffer.alloc(bytes), headers: { 'source-offset': key } },
      ...(least && { least }),
    });
    const small = (key: string) => letter(key, 1_000);
    const large = [letter('5', 900_000, letter('least', 9)), letter('7', 4_000, letter('7', 3_500))] as const;
    await delivery.sendLetters([...['0', '1', '2', '3', '4'].map(small), large[0], small('6'), large[1]]);
    expect(taken.map(({ key }) => key)).toEqual(['0', '1', '2', '3', '4', 'least', '6']);
    // More than fits one batch is not tried together: its first batch might be taken, and would be sent again.
    expect(attempts[0]).toBe(4);
    expect(delivery.failures.get('letter-lost')).toBe(1);
    expect([delivery.retries, delivery.troubles.size]).toEqual([0, 0]);
    const reason = 'raise max.message.bytes of topic dead';
    expect(log.lines).toEqual([
      {
        fields: { source: undefined, partition: undefined, offset: '7', reason },
        message: 'a dead letter is lost: its topic refuses even place and reason as too large',
      },
    ]);
  });
});
