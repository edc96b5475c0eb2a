import { describe, expect, it, test } from 'vitest';
import { RetryableError } from '../../src/errors/errors.ts';
import type { EventLog, PartitionRange } from '../../src/pipeline/ports.ts';
import { agree } from '../../src/shards/agreement.ts';
import { MemoryLog } from '../pipeline/memory-log.ts';
import { memoryReader } from '../pipeline/memory-reader.ts';

const TOPIC = 'twhin.exchange.g';
const EDGES = 'twhin.edges.g';
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
      agree(logOf(3, id), [topic, EDGES], { ...SHARD, index }, stopping());
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
        memoryReader(log, { partitions: { [TOPIC]: 3, [EDGES]: 3 }, topicIds: { [TOPIC]: 'id' } }),
        [TOPIC, EDGES],
        { ...SHARD, index },
        stopping(),
      );
    const first = await agree(logOf(3, 'id'), [TOPIC, EDGES], SHARD, stopping());
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
    await expect(agree(logOf(partitions, 'id'), [TOPIC, EDGES], SHARD, stopping())).rejects.toMatchObject({
      name: 'FatalError',
      code: 'shards',
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
    expect(await agree(late, [TOPIC, EDGES], SHARD, stopping())).toBe(
      await agree(back, [TOPIC, EDGES], SHARD, stopping()),
    );
    const controller = new AbortController();
    const waiting = agree(
      { ranges: gone, topicIds: gone, read: gone },
      [TOPIC, EDGES],
      SHARD,
      controller.signal,
    );
    controller.abort();
    await expect(waiting).rejects.toMatchObject({ code: 'stopped' });
  });
});
