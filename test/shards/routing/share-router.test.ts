import { setImmediate as ticked } from 'node:timers/promises';
import { afterEach, beforeEach, expect, onTestFinished, test, vi } from 'vitest';
import { FatalError, RetryableError } from '../../../src/errors/errors.ts';
import { offsetsOf } from '../../../src/graph/head.ts';
import { shardOf } from '../../../src/graph/shard.ts';
import { silentLog } from '../../../src/log.ts';
import type { Message, Offsets } from '../../../src/pipeline/ports.ts';
import { Rejections } from '../../../src/pipeline/rejections.ts';
import { ShareRouter } from '../../../src/shards/routing/share-router.ts';
import { decodeStretch } from '../../../src/shards/routing/stretch.ts';
import { DEFAULT_LIMITS, engagement } from '../../../topics/index.ts';

const EVENTS = 'twhin.engagement';
const SHARDS = 2;
const SECOND = 1_000;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
});
afterEach(() => {
  vi.useRealTimers();
});

/** What is left of a dead letter that is too large. */
const LEAST = { topic: 'dead', key: 'least', value: null, headers: {} };

/** A router whose messages are acknowledged, or refused, one publish at a time. */
function setUp({ markMs = 1_000 * SECOND } = {}) {
  const publishing: { messages: readonly Message[]; answer: PromiseWithResolvers<void> }[] = [];
  const routed: Offsets[] = [];
  const failures: Error[] = [];
  const router = new ShareRouter({
    graph: 'g',
    shards: SHARDS,
    relations: new Set(['likes']),
    topics: new Map([[EVENTS, engagement]]),
    limits: DEFAULT_LIMITS,
    edgesTopic: 'twhin.edges.g',
    sink: {
      publish: (messages) => {
        const answer = Promise.withResolvers<void>();
        publishing.push({ messages, answer });
        return answer.promise;
      },
      takeOver: async () => {},
      stop: async () => {},
    },
    routed: (positions) => void routed.push(offsetsOf(positions)),
    deadLetter: () => ({ topic: 'dead', key: 'whole', value: null, headers: {}, least: LEAST }),
    counts: { records: 0, sent: 0, bytes: 0 },
    rejections: new Rejections({ graph: 'g', topics: [EVENTS], log: silentLog, clock: () => 0 }),
    markMs,
    log: silentLog,
    failed: (error) => void failures.push(error),
  });
  onTestFinished(() => {
    const stopped = router.stop();
    for (const { answer } of publishing) answer.resolve();
    return stopped;
  });
  /** Reads likes of `padding` bytes or more each. */
  const read = (from: number, next: number, padding = 0, epoch?: number) => {
    const records = Array.from({ length: next - from }, (_, i) => ({
      ...{ topic: EVENTS, partition: 0, offset: from + i, timestamp: 0, key: null },
      value: Buffer.from(
        JSON.stringify({
          ...{ userId: `u${from + i}`, tweetId: 't', action: 'like', at: 1 },
          padding: 'x'.repeat(padding),
        }),
      ),
    }));
    return router.take({ topic: EVENTS, partition: 0, records, next, epoch });
  };
  return { router, read, publishing, routed, failures };
}

/** The stretches to one shard among messages, in order. */
function to(shard: number, messages: readonly Message[]) {
  return messages
    .filter(({ topic, key }) => topic !== 'dead' && shardOf(String(key), SHARDS) === shard)
    .map(({ value }) => decodeStretch(value && Buffer.from(value)));
}

test('what waits while something is sent is cut into stretches that brokers take, without a gap', async () => {
  const { read, publishing } = setUp();
  void read(0, 1);
  void read(1, 10, 60_000);
  publishing[0]!.answer.resolve();
  await ticked();
  const tweets = shardOf('tweet:t', SHARDS);
  const stretches = to(tweets, publishing[1]!.messages);
  expect(stretches.map(({ from, until }) => `${from}-${until}`)).toEqual(['1-4', '4-7', '7-10']);
  const offsets = stretches.flatMap(({ records }) => records.map(({ offset }) => offset));
  expect(offsets).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
});

test('a stretch has one leader epoch, and offsets without a record belong to the epoch in which they were read', async () => {
  const { router, read, publishing } = setUp();
  void read(0, 1, 0, 1);
  void read(1, 3, 0, 1);
  void router.take({ topic: EVENTS, partition: 0, records: [], next: 5, epoch: 2 });
  void read(5, 6, 0, 3);
  publishing[0]!.answer.resolve();
  await ticked();
  const stretches = to(shardOf('tweet:t', SHARDS), publishing[1]!.messages);
  expect(stretches.map(({ from, until, epoch }) => [from, until, epoch])).toEqual([
    [1, 3, 1],
    [3, 6, 3],
  ]);
});

test('reading waits while much waits to be sent, and goes on once that is being sent', async () => {
  const { read, publishing } = setUp();
  expect(read(0, 1)).toBeUndefined();
  expect(read(1, 20, 100_000)).toBeUndefined();
  let roomy = false;
  void read(20, 90, 100_000)?.then(() => {
    roomy = true;
  });
  await ticked();
  expect([roomy, publishing.length]).toEqual([false, 1]);
  publishing[0]!.answer.resolve();
  await ticked();
  expect([roomy, publishing.length]).toEqual([true, 2]);
  expect(read(90, 91)).toBeUndefined();
});

test('a reader that waits for room goes on as the router is stopped', async () => {
  const { router, read, publishing } = setUp();
  void read(0, 1);
  const room = read(1, 100, 100_000);
  expect(room).toBeInstanceOf(Promise);
  const stopping = router.stop();
  await room;
  publishing[0]!.answer.resolve();
  await stopping;
  expect(publishing).toHaveLength(1);
});

test('a dead letter that is too large for its topic is sent in its least form, and the events behind it are routed', async () => {
  const { router, read, publishing } = setUp();
  const bad = { topic: EVENTS, partition: 0, offset: 0, timestamp: 0, key: null, value: Buffer.from('x') };
  void router.take({ topic: EVENTS, partition: 0, records: [bad], next: 1 });
  void read(1, 2);
  publishing[0]!.answer.reject(new RetryableError('message-too-large', 'raise max.message.bytes'));
  await ticked();
  publishing[1]!.answer.resolve();
  await ticked();
  const keys = publishing.slice(0, 2).map(({ messages }) => messages.map(({ key }) => key));
  expect(keys).toEqual([['whole'], ['least']]);
  const tweets = shardOf('tweet:t', SHARDS);
  expect(to(tweets, publishing[2]!.messages)).toMatchObject([{ from: 0, until: 2 }]);
});

test('nothing is sent or said to be routed after a failure for good', async () => {
  const { read, publishing, routed, failures } = setUp({ markMs: 5 });
  void read(0, 1);
  const error = new FatalError('client-fault', 'refused for good');
  publishing[0]!.answer.reject(error);
  await ticked();
  expect(failures).toEqual([error]);
  void read(1, 2);
  vi.advanceTimersByTime(30);
  await ticked();
  expect([publishing.length, routed, failures.length]).toEqual([1, [], 1]);
});

test('the group is told once every shard has what is below, by a mark where nothing concerns it, and of what was read alone', async () => {
  const { router, read, publishing, routed } = setUp({ markMs: 500 });
  const both = shardOf('tweet:t', SHARDS);
  const n = Array.from({ length: 99 }, (_, i) => i).find((i) => shardOf(`user:u${i}`, SHARDS) === both)!;
  router.begin(EVENTS, 0, { offset: n });
  router.begin(EVENTS, 1, { offset: 0 });
  const acknowledge = async (count: number) => {
    expect(publishing).toHaveLength(count);
    publishing[count - 1]!.answer.resolve();
    await ticked();
  };
  vi.advanceTimersByTime(500);
  const begun = to(both, publishing[0]!.messages).map(({ partition, until }) => [partition, until]);
  expect(begun).toEqual([
    [0, n],
    [1, 0],
  ]);
  await acknowledge(1);
  void read(n, n + 1);
  expect(routed).toEqual([]);
  await acknowledge(2);
  expect(routed).toEqual([{ [EVENTS]: { '0': n } }]);
  vi.advanceTimersByTime(500);
  await acknowledge(3);
  expect(routed.slice(1)).toEqual([{ [EVENTS]: { '0': n + 1 } }]);
});

test('marks of all partitions that come due while something is sent go out after it, whatever marks come due meanwhile', async () => {
  const { router, read, publishing } = setUp({ markMs: 5 });
  router.begin(EVENTS, 1, { offset: 0 });
  void read(0, 1);
  vi.advanceTimersByTime(40);
  await ticked();
  expect(publishing).toHaveLength(1);
  publishing[0]!.answer.resolve();
  await ticked();
  for (const shard of [0, 1]) {
    const told = to(shard, publishing[1]!.messages).filter(({ partition }) => partition === 1);
    expect(told.map(({ from, until }) => [from, until])).toEqual([[0, 0]]);
  }
});

test('shards are told of all partitions by the first mark and by every twentieth after it, though nothing is new', async () => {
  const { router, publishing } = setUp({ markMs: 500 });
  router.begin(EVENTS, 1, { offset: 0 });
  for (const [ms, sent] of [[500, 1] as const, [9_500, 1] as const, [500, 2] as const]) {
    vi.advanceTimersByTime(ms);
    for (const { answer } of publishing) answer.resolve();
    await ticked();
    expect(publishing).toHaveLength(sent);
  }
  for (const { messages } of publishing)
    for (const shard of [0, 1])
      expect(to(shard, messages)).toMatchObject([{ partition: 1, from: 0, until: 0 }]);
});
