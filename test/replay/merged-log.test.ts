import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { digest, type GraphDigest } from '../../src/graph/digest.ts';
import type { SourceRecord, Stretch } from '../../src/pipeline/ports.ts';
import { soleLeadership } from '../../src/pipeline/sole-leadership.ts';
import { MergedLog } from '../../src/replay/merged-log.ts';
import { MemoryStore } from '../graph/memory-store.ts';
import { DyingStore } from '../pipeline/dying-store.ts';
import type { MemoryLog } from '../pipeline/memory-log.ts';
import { type MemoryReaderOptions, memoryReader } from '../pipeline/memory-reader.ts';
import { graphStore, updater } from '../pipeline/updater-fixture.ts';
import { logOf, type Sent, stream, wholeOf, withContent } from './replay-log.ts';

interface Replaying {
  readonly reader?: MemoryReaderOptions;
  readonly range?: readonly Stretch[];
  readonly queueBytes?: number;
}

async function started(log: MemoryLog, store: MemoryStore, options: Replaying = {}) {
  const reader = memoryReader(log, options.reader);
  const stretches = options.range ?? (await wholeOf(reader, log));
  const merged = new MergedLog({ log: reader, stretches, topicIds: {}, read: withContent });
  const pace = { batchEdges: 5, commitEdges: 10, queueBytes: options.queueBytes ?? 1_000_000 };
  const running = updater(log, store, {
    eventLog: merged,
    leadership: soleLeadership,
    pace,
    role: 'shadow',
    deadLetters: false,
  });
  return { merged, running };
}

async function replayed(log: MemoryLog, options: Replaying = {}): Promise<GraphDigest> {
  const store = new MemoryStore();
  await (await started(log, store, options)).running.run({ untilCaughtUp: true });
  return digest([graphStore(store)]);
}

/** As the log would be after `sent` came again in a longer stream: enough for several commits. */
const longer = (sent: readonly Sent[]): Sent[] =>
  [...sent, ...sent.map((each) => ({ ...each, at: each.at + 20 }))].map((each) =>
    typeof each.value === 'string' ? each : { ...each, value: { ...each.value, at: each.at * 1000 } },
  );

describe('a range replayed', () => {
  test('ends in the same digest whatever the hand-overs, their timing and the room in the queue', async () => {
    await fc.assert(
      fc.asyncProperty(
        stream,
        fc.infiniteStream(fc.nat(9)),
        fc.integer({ min: 1, max: 3_000 }),
        async (sent, numbers, queueBytes) => {
          const log = logOf(longer(sent));
          const next = () => numbers.next().value;
          const handOver = () => 1 + next();
          const delay = async () => {
            for (let turns = next(); turns > 0; turns--)
              await new Promise((resolve) => setImmediate(resolve));
          };
          const other = await replayed(log, { reader: { handOver, delay }, queueBytes });
          expect(other).toEqual(await replayed(log));
        },
      ),
      { numRuns: 40 },
    );
  });

  test('ends in the same digest after being abandoned at any record', async () => {
    await fc.assert(
      fc.asyncProperty(stream, fc.nat(160), async (sent, after) => {
        const log = logOf(longer(sent));
        const store = new MemoryStore();
        const first = await started(log, store, { reader: { handOver: () => 1 } });
        const running = first.running.run({ untilCaughtUp: true });
        const watch = setInterval(() => {
          if (first.running.progress().events.consumed >= after) first.running.abandon();
        }, 0);
        await running;
        clearInterval(watch);
        await (await started(log, store)).running.run({ untilCaughtUp: true });
        expect(await digest([graphStore(store)])).toEqual(await replayed(log));
      }),
      { numRuns: 40 },
    );
  });

  test('a part of a log trains the same as a log of that part alone', async () => {
    await fc.assert(
      fc.asyncProperty(stream, fc.infiniteStream(fc.nat(20)), async (sent, numbers) => {
        const log = logOf(sent);
        const whole = await wholeOf(memoryReader(log), log);
        const range = whole.map((each) => ({ ...each, until: Math.min(each.until, numbers.next().value) }));
        const inRange = ({ topic, partition, offset }: SourceRecord) =>
          range.some((each) => each.topic === topic && each.partition === partition && offset < each.until);
        const part = logOf([]);
        part.records.push(...log.records.filter(inRange));
        expect(await replayed(log, { range })).toEqual(await replayed(part));
      }),
      { numRuns: 40 },
    );
  });
});

describe('a merged log', () => {
  const follow = (at: number): Sent => ({
    topic: 'twhin.follow',
    partition: 0,
    at,
    value: { followerId: `f${at}`, followedId: 'b', action: 'follow', at: at * 1000 },
  });

  test('ends where its last offsets are no records', async () => {
    const log = logOf([follow(1), follow(2)]);
    const range = [
      { topic: 'twhin.follow', partition: 0, from: 1, until: 5 },
      { topic: 'twhin.follow', partition: 1, from: 7, until: 7 },
    ];
    // The log goes on to offset 5 with what readers are not given.
    const store = new MemoryStore();
    const reader = { partitions: { 'twhin.follow': 2 } };
    log.records.push({ ...log.records[1]!, offset: 5 });
    await (await started(log, store, { range, reader })).running.run({ untilCaughtUp: true });
    const head = await graphStore(store).head();
    expect(head?.events.consumed).toBe(1);
    expect(head?.positions).toEqual({ 'twhin.follow': { 0: { offset: 5 }, 1: { offset: 7 } } });
  });

  test('goes on though the log no longer holds the records read before', async () => {
    const log = logOf(Array.from({ length: 30 }, (_, i) => follow(i + 1)));
    const range = [{ topic: 'twhin.follow', partition: 0, from: 0, until: 30 }];
    const store = new DyingStore();
    store.dieAfter(2, false);
    const { running } = await started(log, store, { range });
    await expect(running.run({ untilCaughtUp: true })).rejects.toThrow('killed');
    const read = (await graphStore(store).head())?.positions['twhin.follow']?.[0]?.offset ?? 0;
    expect(read).toBeGreaterThan(0);
    store.dieAfter(Number.POSITIVE_INFINITY, false);
    const reader = { lows: { 'twhin.follow/0': read } };
    await (await started(log, store, { range, reader })).running.run({ untilCaughtUp: true });
    expect(await digest([graphStore(store)])).toEqual(await replayed(log));
  });

  test('hands over nothing more until there is room, and ends while there is none', async () => {
    const log = logOf(Array.from({ length: 600 }, (_, i) => follow(i + 1)));
    const reader = memoryReader(log);
    const stretches = await wholeOf(reader, log);
    const merged = new MergedLog({ log: reader, stretches, topicIds: {}, read: withContent });
    let taken = 0;
    let room = Promise.withResolvers<void>();
    await merged.follow([], {
      position: () => undefined,
      take: ({ records }) => {
        taken += records.length;
        return room.promise;
      },
      failed: (error) => expect.fail(error.message),
    });
    const waitsAt = async (records: number) => {
      await expect.poll(() => taken).toBe(records);
      // Turns enough for two more hand-overs.
      for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
      expect(taken).toBe(records);
    };
    await waitsAt(256);
    const full = room;
    room = Promise.withResolvers();
    full.resolve();
    await waitsAt(512);
    await merged.close();
    expect(taken).toBe(512);
  });

  test('records that the log no longer holds end the replay', async () => {
    const log = logOf([follow(1), follow(2), follow(3)]);
    const range = [{ topic: 'twhin.follow', partition: 0, from: 0, until: 3 }];
    const { running } = await started(log, new MemoryStore(), {
      range,
      reader: { lows: { 'twhin.follow/0': 2 } },
    });
    await expect(running.run({ untilCaughtUp: true })).rejects.toThrow(/twhin\.follow/);
  });
});
