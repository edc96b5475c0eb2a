import { describe, expect, test, vi } from 'vitest';
import { RetryableError } from '../../../src/errors/errors.ts';
import { silentLog } from '../../../src/log.ts';
import type { Follower, PartitionRange, Share, Shares, Sink } from '../../../src/pipeline/ports.ts';
import { Router } from '../../../src/shards/routing/router.ts';
import { DEFAULT_LIMITS, engagement } from '../../../topics/index.ts';

const EVENTS = 'twhin.engagement';
const like = (offset: number) => ({
  topic: EVENTS,
  partition: 1,
  offset,
  timestamp: 0,
  key: null,
  value: Buffer.from(JSON.stringify({ userId: `u${offset}`, tweetId: '1', action: 'like', at: 1 })),
});

/** Waits for a state. */
const until = (what: string, holds: () => boolean) =>
  vi.waitUntil(holds, { timeout: 20_000, interval: 5 }).catch((error: unknown) => {
    throw new Error(`never seen: ${what}`, { cause: error });
  });

/** A router on a log with 100 records in each of three partitions, of which it is given the second one from offset 40. */
function setUp() {
  const now = { ms: 1_000_000 };
  const shares: Shares & { trouble: string | undefined; give(): void; end(): void } = (() => {
    const ending = new AbortController();
    const given = Promise.withResolvers<Share>();
    const share: Share = {
      ended: ending.signal,
      has: (_, partition) => partition === 1,
      position: () => 40,
      done: () => undefined,
    };
    return {
      trouble: undefined,
      give: () => given.resolve(share),
      end: () => ending.abort(),
      work: async (on) => on(await given.promise),
      stop: async () => ending.abort(),
    };
  })();
  const sink: Sink & { refusal: string | undefined; sent: number } = {
    refusal: undefined,
    sent: 0,
    publish: async () => {
      if (sink.refusal !== undefined) throw new RetryableError('refused', sink.refusal);
      sink.sent++;
    },
    takeOver: async () => undefined,
    stop: async () => undefined,
  };
  const followed = Promise.withResolvers<Follower>();
  const ranges = async (): Promise<PartitionRange[]> =>
    [0, 1, 2].map((partition) => ({ topic: EVENTS, partition, low: 0, high: 100 }));
  const router = new Router({
    graph: 'g',
    shards: 2,
    relations: new Set(['likes']),
    topics: new Map([[EVENTS, engagement]]),
    limits: DEFAULT_LIMITS,
    edgesTopic: 'twhin.edges.g',
    shares,
    eventLog: {
      ranges,
      follow: async (_, follower) => {
        followed.resolve(follower);
        return { close: async () => undefined };
      },
      close: async () => undefined,
    },
    sink,
    reread: [],
    begin: {},
    markMs: 20,
    deadLetter: () => ({ topic: 'dead', key: null, value: null, headers: {} }),
    log: silentLog,
    clock: () => now.ms,
  });
  /** Reads the records from `from` to before `until`. */
  const read = async (from: number, next: number) => {
    const records = Array.from({ length: next - from }, (_, i) => like(from + i));
    await (await followed.promise).take({ topic: EVENTS, partition: 1, records, next });
  };
  const looksAgain = async (waiting: number) => {
    // The ends are asked for at most every five seconds.
    now.ms += 6_000;
    await until(`${waiting} records wait`, () => router.lag()[0]?.records === waiting);
  };
  return { router, shares, sink, now, read, looksAgain };
}

describe('the router of a process', () => {
  test('is not ready before it has a share, and says what keeps it from one', async () => {
    const { router, shares } = setUp();
    const running = router.run();
    expect([router.unready(), router.partitions]).toEqual([['it is joining the group'], undefined]);
    shares.trouble = 'no broker answers';
    expect(router.unready()).toEqual(['it has no part of the group: no broker answers']);
    shares.give();
    await until('it has a share', () => router.partitions === 1);
    expect(router.unready()).toEqual([]);
    await router.stop();
    await running;
    expect([router.partitions, router.lag()]).toEqual([undefined, []]);
  });

  test('counts what waits in its own partitions until every shard has been sent it', async () => {
    const { router, shares, sink, read, looksAgain } = setUp();
    const running = router.run();
    shares.give();
    await until('it has a share', () => router.partitions === 1);
    await looksAgain(60);
    expect(router.lag()).toMatchObject([{ topic: EVENTS, partition: 1, records: 60 }]);
    await read(40, 90);
    // One of the shards may have nothing of these events: it is told with the next mark.
    await until('all shards have them', () => router.lag()[0]?.records === 10);
    expect(sink.sent).toBeGreaterThan(0);
    await router.stop();
    await running;
  });

  test('is not ready while the brokers refuse what it sends, and counts how often', async () => {
    const { router, shares, sink, read } = setUp();
    const running = router.run();
    shares.give();
    await until('it has a share', () => router.partitions === 1);
    sink.refusal = 'too few replicas';
    await read(40, 41);
    await until('a send is retried', () => router.retries === 1);
    expect(router.unready()).toEqual(['routed events are not acknowledged: too few replicas']);
    sink.refusal = undefined;
    await until('it is sent', () => router.unready().length === 0);
    await router.stop();
    await running;
    // The counts are of the process, not of a share.
    expect(router.retries).toBe(1);
  });

  test('is stuck where records wait at each look and nothing is routed for half a minute', async () => {
    const { router, shares, now, read, looksAgain } = setUp();
    const running = router.run();
    shares.give();
    await until('it has a share', () => router.partitions === 1);
    await looksAgain(60);
    expect(router.unready()).toEqual([]);
    now.ms += 30_000;
    expect(router.unready()).toEqual([]);
    now.ms += 1_000;
    expect(router.unready()).toEqual(['nothing was routed for 31 s, and 60 records wait']);
    await read(40, 60);
    await until('some are routed', () => router.lag()[0]?.records === 40);
    expect(router.unready()).toEqual([]);
    await router.stop();
    await running;
  });
});
