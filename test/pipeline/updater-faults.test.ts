import { describe, expect, test, vi } from 'vitest';
import { LogRefusal, RetryableError } from '../../src/errors/errors.ts';
import type { CheckpointBlock } from '../../src/graph/checkpoint.ts';
import { goOnWith, noteRefusal } from '../../src/graph/graph-store.ts';
import type { FollowedLog } from '../../src/pipeline/ports.ts';
import { portWith } from '../fixtures/port.ts';
import { MemoryStore } from '../graph/memory-store.ts';
import { DyingStore } from './dying-store.ts';
import { MemoryLog } from './memory-log.ts';
import {
  caughtUp,
  DEAD_LETTERS,
  EMBEDDINGS,
  expectTopicEqualsStore,
  FOLLOW,
  follows,
  graphStore,
  IN_TIME,
  liveEdges,
  turns,
  updater,
} from './updater-fixture.ts';

describe('Updater in trouble', () => {
  test('an updater stopped with records in the queue does not count them as read, though markers follow them', async () => {
    let ends = () => {};
    const log = new MemoryLog();
    follows(log, 'u', 50);
    const eventLog = (): FollowedLog => {
      const plain = log.eventLog({ handOver: () => 50 });
      return portWith(plain, {
        ranges: async (topics) => {
          ends();
          return (await plain.ranges(topics)).map((range) =>
            range.topic === FOLLOW ? { ...range, high: 51 } : range,
          );
        },
        // Behind the last record stands the marker of a transaction.
        follow: (topics, follower) =>
          plain.follow(
            topics,
            portWith(follower, {
              take: (run) => follower.take(run.next === 50 ? { ...run, next: 51 } : run),
            }),
          ),
      });
    };
    const store = new MemoryStore();
    const running = updater(log, store, { eventLog: eventLog() });
    ends = () => running.stop();
    await running.run({ untilCaughtUp: true });
    ends = () => {};
    const head = await graphStore(store).head();
    expect(head).toBeDefined();
    expect(head?.positions[FOLLOW]?.['0']?.offset ?? 0).toBe(head?.events.consumed);
    expect((await caughtUp(log, store, { eventLog: eventLog() })).events.consumed).toBe(50);
    expect(await liveEdges(store)).toHaveLength(50);
    expect((await graphStore(store).head())?.positions).toEqual({ [FOLLOW]: { '0': { offset: 51 } } });
  });

  test('a log that ends before the stored offset is refused at each start, also once it has grown past it, until somebody says how to go on', async () => {
    const whole = new MemoryLog();
    follows(whole, 'u', 50);
    const store = new MemoryStore();
    await caughtUp(whole, store);
    const log = new MemoryLog();
    follows(log, 'u', 30);
    const refused = { code: 'offset-out-of-range', message: expect.stringContaining('holds 0 to 30') };
    await expect(caughtUp(log, store)).rejects.toMatchObject(refused);
    follows(log, 'v', 50);
    await expect(caughtUp(log, store)).rejects.toMatchObject(refused);
    expect(await liveEdges(store)).toHaveLength(50);
    await goOnWith(graphStore(store), FOLLOW, (known) => log.eventLog().agreed(known));
    await caughtUp(log, store);
    expect(await liveEdges(store)).toHaveLength(100);
    // A topic of which nothing was read yet can be refused as well.
    await noteRefusal(graphStore(store), new LogRefusal('offset-out-of-range', 'other', 'retention'));
    await goOnWith(graphStore(store), 'other', (known) => log.eventLog().agreed(known));
    expect((await graphStore(store).head())?.refused).toEqual({});
  });

  test.each([DEAD_LETTERS, EMBEDDINGS])(
    'an updater stopped while %s takes nothing ends in time at its last commit, and the next goes on there',
    async (topic) => {
      const [log, store] = [new MemoryLog(), new MemoryStore()];
      follows(log, 'u', 50);
      log.append(FOLLOW, Buffer.from('no event'));
      follows(log, 'v', 50);
      let isStopped = false;
      const sink = portWith(log.sink(), {
        publish: async (messages) => {
          if (isStopped) throw new RetryableError('stopped', 'the sink is stopped');
          if (messages.some((each) => each.topic === topic)) throw new RetryableError('refused', 'denied');
          await log.sink().publish(messages);
        },
        stop: async () => {
          isStopped = true;
        },
      });
      const running = updater(log, store, { sink, pace: { stopMs: 300 } });
      const ended = running.run({ untilCaughtUp: true });
      await vi.waitFor(
        async () => expect(await running.unready()).toContainEqual(expect.stringMatching(/denied$/)),
        IN_TIME,
      );
      running.stop();
      await ended;
      expect(running.progress().phase).toBe('stopped');
      const { events } = await caughtUp(log, store);
      expect(events).toMatchObject({ consumed: 101, rejected: 1 });
      expect(await liveEdges(store)).toHaveLength(100);
      expect(log.published.filter((each) => each.topic === DEAD_LETTERS)).toHaveLength(1);
      await expectTopicEqualsStore(log, store);
    },
  );

  test('an updater stopped before it began ends in order', async () => {
    const log = new MemoryLog();
    follows(log, 'u', 5);
    const running = updater(log, new MemoryStore());
    running.stop();
    await running.run();
    expect([running.progress().phase, running.progress().events.consumed]).toEqual(['stopped', 0]);
  });

  test('reading is bounded while dead letters wait', async () => {
    const log = new MemoryLog();
    const bad = Buffer.alloc(100, 'x');
    for (let offset = 0; offset < 20_000; offset++) {
      log.records.push({ topic: FOLLOW, partition: 0, offset, timestamp: 1, key: null, value: bad });
    }
    const reachable = Promise.withResolvers<void>();
    log.before.publish = () => reachable.promise;
    const pace = { commitEdges: 500, queueBytes: 100_000 };
    const running = updater(log, new MemoryStore(), { handOver: 500, pace });
    const ended = running.run({ untilCaughtUp: true });
    // A commit that waits and one behind it, of 500 and 16 records and one each.
    await vi.waitFor(() => expect(running.progress().events.consumed).toBe(2 * 517), IN_TIME);
    await turns(500);
    expect(running.progress().events.consumed).toBe(2 * 517);
    reachable.resolve();
    await ended;
    const letters = log.published.filter(({ topic }) => topic === DEAD_LETTERS);
    expect([running.progress().events.rejected, letters.length]).toEqual([20_000, 20_000]);
  });

  test('training waits for a disk that is slower, once too many rows are set aside for a checkpoint', async () => {
    const [log, store] = [new MemoryLog(), new MemoryStore()];
    follows(log, 'u', 200);
    const [reached, taken] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const { checkpoints } = store;
    async function* slow(blocks: AsyncIterable<CheckpointBlock>) {
      for await (const block of blocks) {
        reached.resolve();
        await taken.promise;
        yield block;
      }
    }
    const disk = portWith(store, {
      checkpointsOf: () =>
        portWith(checkpoints, { write: (head, blocks) => checkpoints.write(head, slow(blocks)) }),
    });
    const running = updater(log, disk, {
      pace: { batchEdges: 4, commitEdges: 8, recoverMs: 0 },
      trainer: (own) =>
        portWith(own, { train: async (batch) => ({ ...(await own.train(batch)), setAside: 262_145 }) }),
    });
    const ended = running.run({ untilCaughtUp: true });
    await reached.promise;
    await turns(500);
    const { consumed } = running.progress().events;
    expect(consumed).toBeLessThan(100);
    await turns(500);
    expect(running.progress().events.consumed).toBe(consumed);
    taken.resolve();
    await ended;
    expect(running.progress().events.consumed).toBe(200);
  });

  test('the store is closed whatever else fails to close, and the first failure is thrown', async () => {
    for (const dies of [true, false]) {
      const log = new MemoryLog();
      log.before.leave = () => Promise.reject(new Error('the group hangs on'));
      follows(log, 'u', 40);
      const store = new DyingStore();
      if (dies) store.dieAfter(0, false);
      const close = vi.spyOn(store, 'close');
      const ended = updater(log, store).run({ untilCaughtUp: true });
      await expect(ended).rejects.toThrow(dies ? 'killed' : 'the group hangs on');
      expect(close).toHaveBeenCalledOnce();
    }
  });

  test('an updater that never ran closes what it was given', async () => {
    const store = new DyingStore();
    const close = vi.spyOn(store, 'close');
    const idle = updater(new MemoryLog(), store);
    await Promise.all([idle.close(), idle.close()]);
    expect(close).toHaveBeenCalledOnce();
  });
});
