import { describe, expect, it, test } from 'vitest';
import { shardOf } from '../../src/graph/shard.ts';
import type { FollowedLog, Follower, Message, RecordRun } from '../../src/pipeline/ports.ts';
import { soleLeadership } from '../../src/pipeline/sole-leadership.ts';
import { ShardMeeting } from '../../src/shards/meeting.ts';
import { ShardNeighbourhood } from '../../src/shards/neighbourhood.ts';
import { MemoryStore } from '../graph/memory-store.ts';
import { MemoryLog } from '../pipeline/memory-log.ts';
import { memoryReader } from '../pipeline/memory-reader.ts';
import { DIM, graphStore, liveEdges, updater } from '../pipeline/updater-fixture.ts';

const TOPIC = 'twhin.exchange.test';
const COUNT = 3;

/** A log that hands over what the test says, when the test says so. */
function logByHand(): FollowedLog & { follower: () => Follower } {
  let given: Follower | undefined;
  return {
    follower: () => given!,
    ranges: async () => [],
    topicIds: async () => ({}),
    follow: async (_, follower) => {
      given = follower;
      return { close: async () => {} };
    },
    close: async () => {},
  };
}

/** A follower that keeps what it takes, at once. */
function keeping(): Follower & { readonly taken: RecordRun[] } {
  const taken: RecordRun[] = [];
  return {
    taken,
    position: () => undefined,
    take: (run) => {
      taken.push(run);
      return undefined;
    },
    failed: () => {},
  };
}

const runOf = (offset: number): RecordRun => ({
  topic: 'events',
  partition: 0,
  records: [],
  next: offset + 1,
});

async function meetingOf() {
  const meeting = new ShardMeeting(TOPIC, COUNT);
  const [logs, followers] = [
    [logByHand(), logByHand(), logByHand()],
    [keeping(), keeping(), keeping()],
  ];
  const seen = logs.map((log, index) => meeting.log(index, log));
  const follow = (index: number) => seen[index]!.follow(['events'], followers[index]!);
  /** Hands a run to a shard; says whether the shard may go on by now. */
  const hand = (index: number, offset: number) => {
    const step = { through: false };
    void Promise.resolve(logs[index]!.follower().take(runOf(offset))).then(() => {
      step.through = true;
    });
    return step;
  };
  return { meeting, seen, followers, follow, hand };
}

/** Lets everything that waits for nothing else come to pass. */
const settled = () => new Promise<void>((resolve) => setImmediate(resolve));

const message = (shard: number, value: string, topic = TOPIC): Message => ({
  topic,
  key: String(shard),
  value: Buffer.from(value),
  headers: { graph: 'g' },
});

describe('shards that meet', () => {
  it('go on together: none is ahead of another by more than a hand-over', async () => {
    const { followers, follow, hand } = await meetingOf();
    for (const index of [0, 1, 2]) await follow(index);
    const [first, second] = [hand(0, 0), hand(1, 0)];
    await settled();
    expect(followers.map(({ taken }) => taken.length)).toEqual([1, 1, 0]);
    expect([first.through, second.through]).toEqual([false, false]);
    const third = hand(2, 0);
    await settled();
    expect([first, second, third].map(({ through }) => through)).toEqual([true, true, true]);
    // One that is handed two runs is not two shards.
    const ahead = [hand(0, 1), hand(0, 2), hand(1, 1)];
    await settled();
    expect(ahead.map(({ through }) => through)).toEqual([false, false, false]);
    hand(2, 1);
    await settled();
    expect(ahead.map(({ through }) => through)).toEqual([true, false, true]);
  });

  it('wait for one that has no room yet', async () => {
    const { followers, follow, hand } = await meetingOf();
    const room = Promise.withResolvers<void>();
    followers[1]!.take = () => room.promise;
    for (const index of [0, 1, 2]) await follow(index);
    const steps = [0, 1, 2].map((index) => hand(index, 0));
    await settled();
    expect(steps.map(({ through }) => through)).toEqual([false, false, false]);
    room.resolve();
    await settled();
    expect(steps.map(({ through }) => through)).toEqual([true, true, true]);
  });

  it('go on without one that has left', async () => {
    const { seen, follow, hand } = await meetingOf();
    for (const index of [0, 1, 2]) await follow(index);
    const waiting = [hand(0, 0), hand(1, 0)];
    await seen[2]!.close();
    await settled();
    expect(waiting.map(({ through }) => through)).toEqual([true, true]);
    await seen[1]!.close();
    await seen[1]!.close();
    const alone = hand(0, 1);
    await settled();
    expect(alone.through).toBe(true);
  });

  it('get what is sent to them in the order sent, what came before they followed too, and no other topic', async () => {
    const { meeting, followers, follow } = await meetingOf();
    await follow(0);
    const sink = meeting.sink(Number);
    await sink.publish([message(1, 'early'), message(0, 'a'), message(1, 'b', 'twhin.embeddings')]);
    await sink.publish([message(0, 'c'), message(1, 'd')]);
    await follow(1);
    await sink.publish([message(1, 'e')]);
    const told = followers.map(({ taken }) =>
      taken.map(({ partition, records: [record], next }) => [
        partition,
        record?.offset,
        next,
        record?.value?.toString(),
        record?.headers?.['graph']?.toString(),
      ]),
    );
    expect(told).toEqual([
      [
        [0, 0, 1, 'a', 'g'],
        [0, 1, 2, 'c', 'g'],
      ],
      [
        [1, 0, 1, 'early', 'g'],
        [1, 1, 2, 'd', 'g'],
        [1, 2, 3, 'e', 'g'],
      ],
      [],
    ]);
  });
});

const NEVER = Number.POSITIVE_INFINITY;

test('whole updaters that meet share the edges of the log, and have each other’s vectors', async () => {
  const log = new MemoryLog();
  const edges = Array.from({ length: 300 }, (_, i) => [i % 23, (i * 7) % 29] as const);
  for (const [i, [follower, followed]] of edges.entries()) {
    const value = { followerId: `u${follower}`, followedId: `u${followed}`, action: 'follow', at: 1_000 + i };
    log.append('twhin.follow', value);
  }
  const meeting = new ShardMeeting(TOPIC, COUNT);
  const stores = Array.from({ length: COUNT }, () => new MemoryStore());
  const running = stores.map((store, index) =>
    updater(log, store, {
      ...{ role: 'shadow', leadership: soleLeadership, deadLetters: false },
      shard: { graph: 'test', index, count: COUNT },
      neighbourhood: new ShardNeighbourhood({
        ...{ shard: { graph: 'test', index, count: COUNT }, topic: TOPIC, freshRun: 'run' },
        pace: { mergeEdges: 50, mergeMs: NEVER, quietMs: NEVER, wantMs: 50 },
      }),
      eventLog: meeting.log(index, memoryReader(log, { anyTopic: true })),
      sink: meeting.sink((key) => shardOf(key, COUNT)),
      pace: { batchEdges: 8, queueBytes: 1 },
    }).run({ untilCaughtUp: true }),
  );
  await Promise.all(running);
  const names = [...new Set(edges.map(([lhs, rhs]) => `user:u${lhs} follows user:u${rhs}`))].sort();
  let copies = 0;
  let empty = 0;
  for (const [index, store] of stores.entries()) {
    const here = names.filter((name) =>
      [name.split(' ')[0]!, name.split(' ')[2]!].some((key) => shardOf(key, COUNT) === index),
    );
    expect(await liveEdges(store)).toEqual(here);
    for await (const { key, row } of graphStore(store).entities()) {
      if (shardOf(key, COUNT) === index) continue;
      copies++;
      const [stored] = await graphStore(store).readRows([row]);
      if (stored === undefined || stored.floats.subarray(0, DIM).every((number) => number === 0)) empty++;
    }
  }
  expect(copies).toBeGreaterThan(20);
  expect(empty).toBe(0);
});
