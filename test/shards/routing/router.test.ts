import { setImmediate as ticked } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { FatalError, RetryableError } from '../../../src/errors/errors.ts';
import { offsetsOf } from '../../../src/graph/head.ts';
import { silentLog } from '../../../src/log.ts';
import type { Follower, Message, Offsets, Positions, Share } from '../../../src/pipeline/ports.ts';
import { Router } from '../../../src/shards/routing/router.ts';
import { decodeStretch } from '../../../src/shards/routing/stretch.ts';
import { DEFAULT_LIMITS, engagement } from '../../../topics/index.ts';

const TOPIC = 'twhin.engagement';
const MARK_MS = 20;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
});
afterEach(() => {
  vi.useRealTimers();
});

/** A router on a log whose partitions begin at 10, with a group that gives shares when told. */
function routing(
  options: {
    reread?: readonly string[];
    begin?: Positions;
    publish?: (messages: readonly Message[]) => Promise<void>;
  } = {},
) {
  const sent: Message[] = [];
  const done: Offsets[] = [];
  const followers: Follower[] = [];
  const closed: number[] = [];
  let on: ((share: Share) => Promise<void>) | undefined;
  const working = Promise.withResolvers<void>();
  /** What the test changes while the router runs. refusal: of the brokers. */
  const now: { ms: number; trouble?: string; refusal?: string } = { ms: 1_000_000 };
  const router = new Router({
    graph: 'g',
    shards: 2,
    relations: new Set(['likes']),
    topics: new Map([[TOPIC, engagement]]),
    limits: DEFAULT_LIMITS,
    edgesTopic: 'twhin.edges.g',
    shares: {
      work: (each) => {
        on = each;
        return working.promise;
      },
      get trouble() {
        return now.trouble;
      },
      stop: async () => working.resolve(),
    },
    eventLog: {
      ranges: async () => [0, 1].map((partition) => ({ topic: TOPIC, partition, low: 10, high: 90 })),
      follow: async (_, follower) => {
        followers.push(follower);
        return { close: async () => void closed.push(followers.length) };
      },
      agreed: async (positions) => positions,
      close: async () => {},
    },
    sink: {
      publish: async (messages) => {
        if (now.refusal !== undefined) throw new RetryableError('not-acknowledged', now.refusal);
        await options.publish?.(messages);
        sent.push(...messages);
      },
      takeOver: async () => {},
      stop: async () => {},
    },
    reread: options.reread ?? [],
    goOn: [],
    begin: options.begin ?? {},
    deadLetter: (record) => ({ topic: 'dead', key: null, value: record.value, headers: {} }),
    markMs: MARK_MS,
    log: silentLog,
    clock: () => now.ms,
  });
  void router.run();
  /** A share of partition 0, of which the group has an offset or none. */
  const give = async (position: number | undefined) => {
    const ending = new AbortController();
    const share: Share = {
      ended: ending.signal,
      has: (_, partition) => partition === 0,
      position: () => (position === undefined ? undefined : { offset: position }),
      done: (positions) => void done.push(offsetsOf(positions)),
    };
    const work = on?.(share) ?? expect.fail('no work');
    const end = () => {
      ending.abort();
      return work;
    };
    await ticked();
    return { end, work };
  };
  const read = async (from: number, next: number) => {
    const records = Array.from({ length: next - from }, (_, i) => like(from + i));
    await followers.at(-1)!.take({ topic: TOPIC, partition: 0, records, next });
  };
  return { router, give, read, sent, done, followers, closed, now };
}

const like = (offset: number) => ({
  ...{ topic: TOPIC, partition: 0, offset, timestamp: 1, key: null },
  value: Buffer.from(JSON.stringify({ userId: 'a', tweetId: 'b', action: 'like', at: 1 })),
});

test('a share is read from where the group stands, or from its start, and is let go of', async () => {
  const { give, followers, closed, sent, done } = routing();
  const first = await give(undefined);
  const [follower] = followers;
  expect([follower!.reads?.(TOPIC, 0), follower!.reads?.(TOPIC, 1)]).toEqual([true, false]);
  expect(follower!.position(TOPIC, 0)).toBeUndefined();
  await follower!.take({ topic: TOPIC, partition: 0, records: [like(12)], next: 14 });
  await ticked();
  // What the log had lost before it was asked is no part of what a router speaks of.
  expect(
    sent.map(({ value }) => decodeStretch(value)).map(({ from, until }) => [from, until]),
  ).toContainEqual([10, 14]);
  await first.end();
  expect(closed).toEqual([1]);
  const { length } = done;
  const second = await give(14);
  expect(followers[1]!.position(TOPIC, 0)?.offset).toBe(14);
  await second.end();
  expect(done.length).toBe(length);
});

test('shards are told how far a share is routed before anything of it is read, and the group of nothing', async () => {
  const { give, sent, done } = routing();
  const share = await give(50);
  vi.advanceTimersByTime(MARK_MS);
  await ticked();
  const told = sent.map(({ value }) => decodeStretch(value)).map(({ from, until }) => [from, until]);
  expect(told.map(String)).toEqual(['50,50', '50,50']);
  await share.end();
  expect(done).toEqual([]);
});

test('a partition of which the group knows nothing is begun where this process has it, if it has any of it', async () => {
  const { give, followers } = routing({ begin: { [TOPIC]: { '0': { offset: 33 } } } });
  for (const [known, begun] of [
    [undefined, 33],
    [12, 12],
  ]) {
    const share = await give(known);
    expect(followers.at(-1)!.position(TOPIC, 0)?.offset).toBe(begun);
    await share.end();
  }
});

test('a topic that is to be reread is, until something of it was routed', async () => {
  const { give, followers } = routing({ reread: [TOPIC] });
  const first = await give(50);
  expect(followers[0]!.position(TOPIC, 0)).toBeUndefined();
  await followers[0]!.take({ topic: TOPIC, partition: 0, records: [like(10)], next: 11 });
  await ticked();
  await first.end();
  const second = await give(11);
  expect(followers[1]!.position(TOPIC, 0)?.offset).toBe(11);
  await second.end();
});

test('dead letters go out with what is routed, and are counted by topic and reason', async () => {
  const { router, give, followers, sent } = routing();
  const share = await give(10);
  await followers[0]!.take({
    topic: TOPIC,
    partition: 0,
    records: [{ ...like(10), value: Buffer.from('{') }],
    next: 11,
  });
  await ticked();
  expect(sent.map(({ topic }) => topic)).toContain('dead');
  expect(router.counts.records).toBe(1);
  expect(router.rejections.byTopic()).toMatchObject({ [TOPIC]: { 'not-json': 1 } });
  await share.end();
});

test('what ends a router ends the work on its share', async () => {
  const { give, followers } = routing({
    publish: async () => {
      throw new FatalError('client-fault', 'refused for good');
    },
  });
  const { work } = await give(10);
  const failed = expect(work).rejects.toThrow('refused for good');
  await ticked();
  void followers[0]!.take({ topic: TOPIC, partition: 0, records: [like(10)], next: 11 });
  await failed;
});

describe('a router is not ready', () => {
  /** Waits for a state. */
  const until = (what: string, holds: () => boolean) =>
    expect.poll(holds, { timeout: 20_000, interval: 5, message: what }).toBe(true);

  test('before it has a share, and says what keeps it from one', async () => {
    const { router, give, now } = routing();
    expect([router.unready(), router.partitions]).toEqual([['it is joining the group'], undefined]);
    now.trouble = 'no broker answers';
    expect(router.unready()).toEqual(['it has no part of the group: no broker answers']);
    const share = await give(40);
    await until('it has a share', () => router.partitions === 1);
    expect(router.unready()).toEqual([]);
    await share.end();
    expect([router.partitions, router.lag()]).toEqual([undefined, []]);
  });

  test('while the brokers refuse what it sends, and counts how often', async () => {
    const { router, give, read, now } = routing();
    const share = await give(40);
    await until('it has a share', () => router.partitions === 1);
    now.refusal = 'too few replicas';
    await read(40, 41);
    await until('a send is retried', () => router.retries === 1);
    expect(router.unready()).toEqual(['routed events are not acknowledged: too few replicas']);
    delete now.refusal;
    await until('it is sent', () => router.unready().length === 0);
    await share.end();
    // The counts are of the process, not of a share.
    expect(router.retries).toBe(1);
  });

  test('where records wait at each look and nothing is routed for half a minute', async () => {
    const { router, give, read, now } = routing();
    const share = await give(40);
    await until('it has a share', () => router.partitions === 1);
    // The ends are asked for at most every five seconds. Of two partitions, the process has one.
    now.ms += 6_000;
    await until('records wait', () => router.lag()[0]?.records === 50);
    expect([router.lag().length, router.unready()]).toEqual([1, []]);
    now.ms += 30_000;
    expect(router.unready()).toEqual([]);
    now.ms += 1_000;
    expect(router.unready()).toEqual(['nothing was routed for 31 s, and 50 records wait']);
    // One of the shards may have nothing of these events: it is told with the next mark.
    await read(40, 60);
    await until('all shards have them', () => router.lag()[0]?.records === 30);
    expect(router.unready()).toEqual([]);
    await share.end();
  });
});
