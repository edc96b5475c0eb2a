import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { FileEvent } from '../../../src/adapters/event-file/event-file.ts';
import { type FeedOptions, feed } from '../../../src/adapters/event-file/feeder.ts';
import { BadEvent, RetryableError } from '../../../src/errors/errors.ts';
import type { Message, Sink } from '../../../src/pipeline/ports.ts';

const LINGER_MS = 200;
/** A clock that advances only during waits. */
const time = vi.hoisted(() => ({ now: 0 }));
vi.mock('node:timers/promises', () => ({
  setTimeout: async (ms: number) => {
    time.now += ms;
  },
}));
beforeEach(() => {
  time.now = 1_000_000;
  vi.spyOn(Date, 'now').mockImplementation(() => time.now);
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
});
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

/** A sink that acknowledges at once, or when the test says so. */
class MemorySink implements Sink {
  readonly batches: (readonly Message[])[] = [];
  readonly sentAt: number[] = [];
  inFlight = 0;
  mostInFlight = 0;
  held: Promise<void> | undefined;
  failAfter = Number.POSITIVE_INFINITY;

  async publish(messages: readonly Message[]): Promise<void> {
    this.mostInFlight = Math.max(this.mostInFlight, ++this.inFlight);
    if (this.batches.length >= this.failAfter) throw new RetryableError('not-appended', 'the log is down');
    this.batches.push(messages);
    this.sentAt.push(Date.now());
    await (this.held ?? Promise.resolve());
    this.inFlight--;
  }

  async takeOver(): Promise<void> {}

  async stop(): Promise<void> {}

  get values(): string[] {
    return this.batches.flat().map(({ value }) => Buffer.from(value ?? []).toString());
  }
}

async function* numbered(count: number, bytes = 0): AsyncGenerator<FileEvent> {
  for (let line = 1; line <= count; line++) {
    yield { line, raw: Buffer.from(String(line).padEnd(bytes, ' ')) };
  }
}

async function* lines(...values: (string | BadEvent | null)[]): AsyncGenerator<FileEvent> {
  for (const [index, value] of values.entries()) {
    const at = { line: index + 1 };
    if (value instanceof BadEvent) yield { ...at, raw: Buffer.from('as it was'), problem: value };
    else if (value === null) yield { ...at, raw: null, problem: new BadEvent('too-large', 'long') };
    else yield { ...at, raw: Buffer.from(value) };
  }
}

/** A topic that accepts every value except `bad…`; the value is the key. */
function keyOf(value: Buffer): string {
  const text = value.toString().trim();
  if (text.startsWith('bad')) throw new BadEvent('wrong-shape', `no good: ${text}`);
  return text;
}

function feeding(options: Partial<FeedOptions> & Pick<FeedOptions, 'events'>) {
  const sink = new MemorySink();
  const bad: [number, string][] = [];
  const result = feed({
    keyOf,
    sink,
    topicName: 'p.follow',
    onBad: ({ line, problem }) => bad.push([line, problem.code]),
    ...options,
  });
  return { sink, bad, result };
}

describe('sending', () => {
  test('every event is sent in order under its key, in batches of a thousand, which are told', async () => {
    const seen: number[] = [];
    const onProgress = ({ sent }: { sent: number }) => seen.push(sent);
    const { sink, result } = feeding({ events: numbered(2500), onProgress });
    expect(await result).toEqual({ sent: 2500, bad: 0, line: 2500 });
    expect(sink.values).toEqual(Array.from({ length: 2500 }, (_, index) => String(index + 1)));
    expect(sink.batches.map((batch) => batch.length)).toEqual([1000, 1000, 500]);
    expect(seen).toEqual([1000, 2000, 2500]);
    expect(sink.batches[0]?.[6]).toEqual({
      topic: 'p.follow',
      key: '7',
      value: Buffer.from('7'),
      headers: {},
    });
    expect(sink.mostInFlight).toBe(1);
  });

  test('large events are sent in smaller batches', async () => {
    const { sink, result } = feeding({ events: numbered(25, 51_200) });
    expect((await result).sent).toBe(25);
    expect(sink.batches.map((batch) => batch.length)).toEqual([10, 10, 5]);
  });

  test('the next batch is read while one is in flight, and no further batch', async () => {
    const sink = new MemorySink();
    const held = Promise.withResolvers<void>();
    sink.held = held.promise;
    let read = 0;
    async function* counted(): AsyncGenerator<FileEvent> {
      for await (const event of numbered(10_000)) {
        read++;
        yield event;
      }
    }
    const result = feed({ events: counted(), keyOf, sink, topicName: 't' });
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(read).toBe(2000);
    expect(sink.batches).toHaveLength(1);
    held.resolve();
    expect((await result).sent).toBe(10_000);
    expect(sink.mostInFlight).toBe(1);
  });

  test('stops at the limit', async () => {
    expect(await feeding({ events: numbered(50), limit: 7 }).result).toMatchObject({ sent: 7, line: 7 });
    expect(await feeding({ events: lines('bad', 'a', 'b', 'c'), limit: 2 }).result).toMatchObject({
      sent: 2,
      bad: 1,
      line: 3,
    });
    expect(await feeding({ events: numbered(50), limit: 0 }).result).toMatchObject({ sent: 0, line: 0 });
  });

  test('the events of a slow source do not wait for a full batch', async () => {
    const sink = new MemorySink();
    const open = Promise.withResolvers<void>();
    async function* slow(): AsyncGenerator<FileEvent> {
      yield* numbered(3);
      await open.promise;
    }
    const result = feed({ events: slow(), keyOf, sink, topicName: 't' });
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(sink.values).toEqual([]);
    vi.advanceTimersByTime(LINGER_MS);
    expect(sink.values).toEqual(['1', '2', '3']);
    open.resolve();
    expect((await result).sent).toBe(3);
  });
});

describe('bad lines', () => {
  test('are sent unchanged and without a key with `raw`, unless they are too long', async () => {
    const { sink, bad, result } = feeding({
      events: lines('a', 'bad 1', new BadEvent('wrong-shape', 'm'), null, 'b'),
      raw: true,
    });
    expect(await result).toMatchObject({ sent: 4, bad: 3 });
    expect(bad).toEqual([
      [2, 'wrong-shape'],
      [3, 'wrong-shape'],
      [4, 'too-large'],
    ]);
    expect(sink.values).toEqual(['a', 'bad 1', 'as it was', 'b']);
    expect(sink.batches.flat().map(({ key }) => key)).toEqual(['a', null, null, 'b']);
  });

  test('are checked against the time of sending', async () => {
    const times: number[] = [];
    const { result } = feeding({
      events: lines('a'),
      keyOf: (_value, timestamp) => {
        times.push(timestamp);
        return 'k';
      },
    });
    await result;
    expect(times).toEqual([time.now]);
  });

  test('an error other than a wrong line stops the feeding', async () => {
    const broken = () => {
      throw new TypeError('a mistake of ours');
    };
    await expect(feeding({ events: lines('a'), keyOf: broken }).result).rejects.toThrow(TypeError);
  });
});

describe('rate', () => {
  test.each([
    [5000, 20_000],
    [100, 400],
    [2, 10],
  ])('%d a second', async (ratePerS, count) => {
    const start = time.now;
    const { sink, result } = feeding({ events: numbered(count), ratePerS });
    expect((await result).sent).toBe(count);
    const burst = Math.max(1, ratePerS / 10);
    const tookMs = time.now - start;
    expect(tookMs).toBeGreaterThanOrEqual(((count - burst) / ratePerS) * 1000 - 1);
    expect(tookMs).toBeLessThanOrEqual((count / ratePerS) * 1000 + 1);
    // At no moment the sink is ahead of the rate by more than a burst.
    let sent = 0;
    for (const [index, batch] of sink.batches.entries()) {
      sent += batch.length;
      const allowed = burst + (((sink.sentAt[index] ?? 0) - start) / 1000) * ratePerS;
      expect(sent).toBeLessThanOrEqual(allowed + 0.01);
    }
    // A batch is a burst, not a single message.
    expect(sink.batches.length).toBeLessThanOrEqual(count / burst + 1);
  });
});

describe('the end', () => {
  test('an error of the sink ends the feeding', async () => {
    const sink = new MemorySink();
    sink.failAfter = 1;
    await expect(feeding({ events: numbered(5000), sink }).result).rejects.toThrow('the log is down');
    expect(sink.batches).toHaveLength(1);
  });

  test('an error of the file ends the feeding after the events already read are sent', async () => {
    async function* failing(): AsyncGenerator<FileEvent> {
      yield* numbered(3);
      throw new Error('the disk is gone');
    }
    const { sink, result } = feeding({ events: failing() });
    await expect(result).rejects.toThrow('the disk is gone');
    expect(sink.values).toEqual(['1', '2', '3']);
  });
});
