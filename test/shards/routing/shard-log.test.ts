import { describe, expect, test } from 'vitest';
import { shardOf } from '../../../src/graph/shard.ts';
import type { Follower, PartitionRange, Position, RecordRun } from '../../../src/pipeline/ports.ts';
import { ShardLog } from '../../../src/shards/routing/shard-log.ts';
import { encodeStretch, type RoutedStretch } from '../../../src/shards/routing/stretch.ts';
import { DEFAULT_LIMITS, engagement } from '../../../topics/index.ts';
import { keptLog } from '../../pipeline/faulty-sink.ts';
import { MemoryLog } from '../../pipeline/memory-log.ts';
import { memoryReader } from '../../pipeline/memory-reader.ts';

const [EVENTS, EDGES, EXCHANGE] = ['twhin.engagement', 'twhin.edges.g', 'twhin.exchange.g'];
const NAMES: Readonly<Record<string, string>> = { [EVENTS]: 'events', [EDGES]: 'edges' };

/** Shard 1 of two, which has read the event partitions, and the others, as far as said. */
async function following(positions: Readonly<Record<string, number | Position>> = {}) {
  const ranges: PartitionRange[] = [
    { topic: EVENTS, partition: 0, low: 3, high: 90 },
    { topic: EVENTS, partition: 1, low: 7, high: 90 },
    { topic: EDGES, partition: 0, low: 50, high: 60 },
    { topic: EDGES, partition: 1, low: 20, high: 60 },
  ];
  const events = new MemoryLog();
  for (const partition of [0, 1]) {
    for (let n = 0; n < 90; n++) {
      const event = { userId: `u${n}`, tweetId: `t${n % 5}`, action: 'like', at: 1 };
      events.append(EVENTS, n % 10 === 9 ? 'broken' : event, { partition });
    }
  }
  const reader = memoryReader(events, { lows: { [`${EVENTS}/0`]: 3, [`${EVENTS}/1`]: 7 } });
  const followed = Promise.withResolvers<Follower>();
  const topics: (readonly string[])[] = [];
  const lines = keptLog();
  const log = new ShardLog(
    {
      ranges: async (names) => ranges.filter(({ topic }) => names.includes(topic)),
      topicIds: async () => ({}),
      follow: async (names, follower) => {
        topics.push(names);
        followed.resolve(follower);
        return { close: async () => {} };
      },
      read: reader.read,
      agreed: async () => ({ [EVENTS]: { 1: { offset: 7 } } }),
      close: async () => {},
    },
    {
      graph: 'g',
      index: 1,
      shards: 2,
      relations: new Set(['likes']),
      exchangeTopic: EXCHANGE,
      edgesTopic: EDGES,
      topics: new Map([[EVENTS, engagement]]),
      limits: DEFAULT_LIMITS,
    },
    lines,
  );
  const taken: RecordRun[] = [];
  const at = new Map(
    Object.entries(positions).map(([name, at]) => [name, typeof at === 'number' ? { offset: at } : at]),
  );
  const reading = await log.follow([EVENTS, EDGES, EXCHANGE], {
    position: (topic, partition) => at.get(`${topic}/${partition}`),
    take: async (run) => {
      taken.push(run);
      at.set(`${run.topic}/${run.partition}`, { offset: run.next, epoch: run.epoch });
    },
    failed: (error) => {
      throw error;
    },
  });
  const follower = await followed.promise;
  const send = (...values: readonly (Buffer | null)[]) => {
    const records = values.map((value, offset) => ({
      ...{ topic: EDGES, partition: 1, offset, timestamp: 0, key: null, value },
    }));
    return follower.take({ topic: EDGES, partition: 1, records, next: records.length });
  };
  const take = (...stretches: readonly Omit<RoutedStretch, 'records'>[]) =>
    send(...stretches.map((stretch) => encodeStretch({ ...stretch, records: [] })));
  const places = () => taken.map(({ topic, partition, next }) => `${NAMES[topic]}/${partition} ${next}`);
  /** Offsets of the events that were handed over. */
  const offsets = () => taken.flatMap(({ records }) => records.map(({ offset }) => offset));
  return { log, reading, follower, send, take, taken, places, offsets, topics, lines };
}

const stretch = (from: number, until: number, partition = 1) => ({ topic: EVENTS, partition, from, until });
/** Offsets of the events of which shard 1 owns an end; every tenth record is broken. */
const concerning = (from: number, until: number) =>
  Array.from({ length: until - from }, (_, i) => from + i).filter(
    (n) => n % 10 !== 9 && [`user:u${n}`, `tweet:t${n % 5}`].some((key) => shardOf(key, 2) === 1),
  );

describe('the log of a shard', () => {
  test.each([
    ['what follows on', 5, 5],
    ['what begins before', 5, 2],
    ['the first of a partition that begins there', undefined, 0],
    ['the first that the event topic still has', undefined, 7],
  ])('hands over %s', async (_, position, from) => {
    const { take, places, lines } = await following(
      position === undefined ? {} : { [`${EVENTS}/1`]: position },
    );
    await take(stretch(from, 9));
    expect(places()).toEqual(['events/1 9', 'edges/1 1']);
    expect(lines.lines).toEqual([]);
  });

  test.each([
    ['before records', 10, 25, 29],
    ['before a mark that says nothing new', 10, 25, 25],
    ['before the first stretch, where the event topic has more', undefined, 25, 29],
  ])('closes a gap %s by the event topic, and goes on', async (_, position, from, until) => {
    const { take, taken, places, offsets, lines } = await following(
      position === undefined ? {} : { [`${EVENTS}/1`]: position },
    );
    await take(stretch(from, until));
    const begun = position ?? 7;
    expect(offsets()).toEqual(concerning(begun, from));
    expect(
      taken.flatMap(({ records }) => records).every(({ content }) => content?.changes.length === 1),
    ).toBe(true);
    expect(places().slice(-2)).toEqual([`events/1 ${until}`, 'edges/1 1']);
    expect(lines.lines).toEqual([
      {
        fields: { graph: 'g', shard: 1, topic: EVENTS, partition: 1, from: begun, until: from },
        message: 'events that no router sent are read from their topic',
      },
    ]);
    // The same again is no gap.
    const { length } = taken;
    await take(stretch(from, until));
    expect(places().slice(length)).toEqual(['edges/1 1']);
  });

  test('can not close a gap that the event topic does not hold any more, and takes nothing after it', async () => {
    const { take, taken } = await following({ [`${EVENTS}/1`]: 2 });
    await expect(take(stretch(25, 29))).rejects.toMatchObject({ code: 'offset-out-of-range' });
    expect(taken).toEqual([]);
  });

  test.each([
    ['of a newer epoch, and the log agrees', 7, 4, undefined],
    ['of a newer epoch, and the log lost what was read', 8, 4, 'log-diverged'],
    ['of the epoch of its position', 8, 3, undefined],
    ['of no epoch', 8, undefined, undefined],
  ])('is routed again offsets that it has, %s', async (_, offset, epoch, code) => {
    const { take, places } = await following({ [`${EVENTS}/1`]: { offset, epoch: 3 } });
    const taking = take({ ...stretch(5, 9), epoch });
    if (code === undefined) await taking;
    else await expect(taking).rejects.toMatchObject({ code, topic: EVENTS });
    expect(places()).toEqual(code === undefined ? ['events/1 9', 'edges/1 1'] : []);
  });

  test('hands over nothing more of a gap once it is not followed any more', async () => {
    const { take, taken, reading } = await following({ [`${EVENTS}/1`]: 10 });
    const taking = take(stretch(80, 90));
    await reading.close();
    await expect(taking).rejects.toMatchObject({ code: 'stopped' });
    expect(taken).toEqual([]);
  });

  test('passes over records that no router wrote, with a line each', async () => {
    const { send, places, lines } = await following();
    await send(
      null,
      Buffer.from('{"broken'),
      encodeStretch({ topic: 'twhin.follow', partition: 1, from: 40, until: 50, records: [] }),
      encodeStretch({ topic: EVENTS, partition: 1, from: 0, until: 3, records: [] }),
    );
    expect(lines.lines.map(({ message }) => message)).toEqual(Array(3).fill('a record is passed over'));
    expect(places()).toEqual(['events/1 3', 'edges/1 4']);
  });

  test('follows the own partition of the topics between shards, from the first record that is kept, and no event topic', async () => {
    const { log, follower, topics } = await following({ [`${EDGES}/1`]: 12, [`${EXCHANGE}/1`]: 12 });
    expect(topics).toEqual([[EDGES, EXCHANGE]]);
    const reads = [0, 1].flatMap((partition) =>
      [EDGES, EXCHANGE].map((topic) => follower.reads?.(topic, partition)),
    );
    expect(reads).toEqual([false, false, true, true]);
    const begun = [EDGES, EXCHANGE].map((topic) => follower.position(topic, 1)?.offset);
    expect(begun).toEqual([20, 12]);
    const held = await log.ranges([EDGES, EVENTS]);
    const names = held.map(({ topic, partition }) => `${NAMES[topic]}/${partition}`);
    expect(names).toEqual(['events/0', 'events/1', 'edges/1']);
    const further = await following({ [`${EDGES}/1`]: 33 });
    expect(further.follower.position(EDGES, 1)?.offset).toBe(33);
    expect((await following()).follower.position(EDGES, 1)).toBeUndefined();
  });
});
