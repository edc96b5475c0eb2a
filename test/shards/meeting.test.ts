import { describe, expect, it } from 'vitest';
import type { FollowedLog, Follower, Message, RecordRun } from '../../src/pipeline/ports.ts';
import { ShardMeeting } from '../../src/shards/meeting.ts';

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
    const run = { topic: 'events', partition: 0, records: [], next: offset + 1 };
    void Promise.resolve(logs[index]!.follower().take(run)).then(() => {
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
      taken.map(({ partition, records: [record], next }) => {
        const { offset, value, headers } = record!;
        return `${partition}/${offset} ${next} ${value} ${headers?.['graph']}`;
      }),
    );
    const [first, second] = [
      ['0/0 1 a g', '0/1 2 c g'],
      ['1/0 1 early g', '1/1 2 d g', '1/2 3 e g'],
    ];
    expect(told).toEqual([first, second, []]);
  });
});
