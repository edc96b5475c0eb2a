import { describe, expect, it, test } from 'vitest';
import { RetryableError } from '../../../src/errors/errors.ts';
import { agree, ownPartition } from '../../../src/pipeline/exchange/agreement.ts';
import type { EventLog, PartitionRange } from '../../../src/pipeline/ports.ts';
import { MemoryLog } from '../memory-log.ts';
import { memoryReader } from '../memory-reader.ts';

const TOPIC = 'twhin.exchange.g';
const SHARD = { graph: 'g', index: 1, count: 3 };
const stopping = () => new AbortController().signal;

function logOf(partitions: number, id?: string): Pick<EventLog, 'ranges' | 'topicIds' | 'read'> {
  const ranges = Array.from(
    { length: partitions },
    (_, partition): PartitionRange => ({ topic: TOPIC, partition, low: 0, high: 0 }),
  );
  return {
    ranges: async () => ranges,
    topicIds: async () => (id === undefined ? {} : { [TOPIC]: id }),
    read: async () => ({ cursors: [], close: async () => {} }),
  };
}

describe('agree', () => {
  it('names one space for all shards, and another where the topic is another', async () => {
    const space = (id?: string, topic = TOPIC, index = 1) =>
      agree(logOf(3, id), { exchange: topic }, { ...SHARD, index }, stopping());
    const first = await space('id-1');
    expect(first).toMatch(/^[0-9a-f]{16}$/);
    expect(await space('id-1', TOPIC, 2)).toBe(first);
    const others = await Promise.all([space('id-2'), space(), space('id-1', 'other')]);
    expect(new Set([first, ...others]).size).toBe(4);
  });

  it('names the space of the newest parcel where others run already, whichever partition has it', async () => {
    const log = new MemoryLog();
    const send = (partition: number, timestamp: number, space?: string) =>
      log.records.push({
        ...{ topic: TOPIC, partition, timestamp, key: null, value: null },
        offset: log.records.filter((each) => each.partition === partition).length,
        headers: space === undefined ? {} : { space: Buffer.from(space) },
      });
    const agreed = (index: number) =>
      agree(
        memoryReader(log, { partitions: { [TOPIC]: 3 }, topicIds: { [TOPIC]: 'id' } }),
        { exchange: TOPIC },
        { ...SHARD, index },
        stopping(),
      );
    const first = await agree(logOf(3, 'id'), { exchange: TOPIC }, SHARD, stopping());
    send(0, 1, undefined);
    expect(await agreed(0)).toBe(first);
    send(0, 2, 'before');
    for (let i = 0; i < 100; i++) send(1, 10 + i, 'promoted');
    send(2, 5, 'before');
    expect(await Promise.all([agreed(0), agreed(1), agreed(2)])).toEqual([
      'promoted',
      'promoted',
      'promoted',
    ]);
  });

  test.each([2, 4, 0])('refuses a topic of %s partitions for three shards', async (partitions) => {
    await expect(
      agree(logOf(partitions, 'id'), { exchange: TOPIC }, SHARD, stopping()),
    ).rejects.toMatchObject({
      name: 'FatalError',
      code: 'shard-count',
      message: expect.stringContaining(
        `${TOPIC} has ${partitions} partitions, and graphs.g.shards is 3: a partition is a shard`,
      ),
    });
  });

  it('waits while the log is out of reach, until it is stopped', async () => {
    const gone = async () => Promise.reject(new RetryableError('broker-unreachable', 'no broker answers'));
    let asked = 0;
    const back = logOf(3, 'id');
    const late = {
      ranges: async (topics: readonly string[]) => (++asked < 2 ? gone() : back.ranges(topics)),
      topicIds: back.topicIds,
      read: back.read,
    };
    expect(await agree(late, { exchange: TOPIC }, SHARD, stopping())).toBe(
      await agree(back, { exchange: TOPIC }, SHARD, stopping()),
    );
    const controller = new AbortController();
    const waiting = agree(
      { ranges: gone, topicIds: gone, read: gone },
      { exchange: TOPIC },
      SHARD,
      controller.signal,
    );
    controller.abort();
    await expect(waiting).rejects.toMatchObject({ code: 'stopped' });
  });
});

describe('the log of one shard', () => {
  it('has every partition of the event topics, and of the exchange topic its own', async () => {
    const log = new MemoryLog();
    for (let partition = 0; partition < 3; partition++) {
      log.append(TOPIC, { partition }, { partition });
      log.append('events', { partition }, { partition });
    }
    const own = ownPartition(memoryReader(log, { topicIds: { events: 'e', [TOPIC]: 'x' } }), TOPIC, 1);
    const ranges = await own.ranges([TOPIC, 'events']);
    expect(ranges.map(({ topic, partition }) => `${topic} ${partition}`)).toEqual([
      `${TOPIC} 1`,
      ...[0, 1, 2].map((partition) => `events ${partition}`),
    ]);
    expect(await own.topicIds([TOPIC])).toEqual({ [TOPIC]: 'x' });
    const taken: string[] = [];
    const all = Promise.withResolvers<void>();
    await own.follow([TOPIC, 'events'], {
      position: (topic, partition) => (topic === 'events' && partition === 2 ? 1 : undefined),
      // What the follower leaves out stays out.
      reads: (topic, partition) => topic !== 'events' || partition !== 0,
      take: ({ topic, partition, records }) => {
        taken.push(`${topic} ${partition} ${records.map(({ offset }) => offset)}`);
        if (taken.length === 2) all.resolve();
        return undefined;
      },
      failed: all.reject,
    });
    await all.promise;
    log.append(TOPIC, {}, { partition: 0 });
    log.append('events', {}, { partition: 2 });
    await expect.poll(() => taken.length).toBe(3);
    await own.close();
    expect(taken).toEqual([`${TOPIC} 1 0`, 'events 1 0', 'events 2 1']);
    await expect(
      own.follow([TOPIC], { position: () => undefined, take: () => undefined, failed: () => {} }),
    ).rejects.toThrow();
  });
});
