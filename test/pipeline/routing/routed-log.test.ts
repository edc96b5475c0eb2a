import { expect, test } from 'vitest';
import { silentLog } from '../../../src/log.ts';
import type { Follower, PartitionRange, RecordRun } from '../../../src/pipeline/ports.ts';
import { routedLog } from '../../../src/pipeline/routing/routed-log.ts';
import { encodeStretch, type RoutedStretch } from '../../../src/pipeline/routing/stretch.ts';

const [EVENTS, EDGES, OTHER] = ['twhin.engagement', 'twhin.edges.g', 'twhin.exchange.g'];
const shard = { graph: 'g', index: 1, count: 2 };

/** Shard 1 of two, which has read the event partitions, and the others, as far as said. */
async function following(positions: Readonly<Record<string, number>> = {}) {
  const ranges: PartitionRange[] = [
    { topic: EVENTS, partition: 0, low: 3, high: 90 },
    { topic: EVENTS, partition: 1, low: 7, high: 90 },
    { topic: EDGES, partition: 0, low: 50, high: 60 },
    { topic: EDGES, partition: 1, low: 20, high: 60 },
  ];
  const counts = { unreadable: 0 };
  const followed = Promise.withResolvers<Follower>();
  const topics: (readonly string[])[] = [];
  const log = routedLog(
    {
      ranges: async (names) => ranges.filter(({ topic }) => names.includes(topic)),
      topicIds: async () => ({}),
      follow: async (names, follower) => {
        topics.push(names);
        followed.resolve(follower);
        return { close: async () => {} };
      },
      close: async () => {},
    },
    { shard, edgesTopic: EDGES, eventTopics: [EVENTS], counts },
    silentLog,
  );
  const taken: RecordRun[] = [];
  await log.follow([EVENTS, EDGES, OTHER], {
    position: (topic, partition) => positions[`${topic}/${partition}`],
    take: async (run) => {
      taken.push(run);
    },
    failed: (error) => {
      throw error;
    },
  });
  const follower = await followed.promise;
  const take = (...stretches: readonly Omit<RoutedStretch, 'records'>[]) => {
    const records = stretches.map((stretch, offset) => ({
      ...{ topic: EDGES, partition: 1, offset, timestamp: 0, key: null },
      value: encodeStretch({ ...stretch, records: [] }),
    }));
    return follower.take({ topic: EDGES, partition: 1, records, next: records.length });
  };
  return { log, follower, take, taken, topics, counts };
}

const stretch = (from: number, until: number, partition = 1) => ({ topic: EVENTS, partition, from, until });

test.each([
  ['what follows on', 5, 5],
  ['what begins before', 5, 2],
  ['the first of a partition that begins there', undefined, 0],
  ['the first that the event topic still has', undefined, 7],
])('%s is taken', async (_, position, from) => {
  const { take, taken } = await following(position === undefined ? {} : { [`${EVENTS}/1`]: position });
  await take(stretch(from, 9));
  expect(taken.map(({ topic, partition, next }) => [topic, partition, next])).toEqual([
    [EVENTS, 1, 9],
    [EDGES, 1, 1],
  ]);
});

test.each([
  ['records', 5, 6, 9],
  ['a mark that says nothing new', 5, 6, 6],
  ['the first, where the event topic has more before', undefined, 8, 9],
])('%s after a gap are refused, with what to do, and nothing is taken', async (_, position, from, until) => {
  const { take, taken } = await following(position === undefined ? {} : { [`${EVENTS}/1`]: position });
  await expect(take(stretch(from, until))).rejects.toMatchObject({
    code: 'routed-gap',
    message: `the events of ${EVENTS}/1 from offset ${position ?? 0} to ${from} were not routed to shard 1 of g: let the shard read them itself, with graphs.g.routed false and twhin run --graph g --shard 1 --until-caught-up; then set it back`,
  });
  expect(taken).toEqual([]);
});

test('what the event topic keeps of another partition is no matter', async () => {
  const { take } = await following();
  await expect(take(stretch(7, 9, 0))).rejects.toMatchObject({ code: 'routed-gap' });
  await take(stretch(3, 9, 0));
});

test('its own place in the routed events rises after all that they hold', async () => {
  const { take, taken } = await following({ [`${EVENTS}/0`]: 0, [`${EVENTS}/1`]: 0 });
  await take(stretch(0, 9), stretch(0, 4, 0));
  expect(taken.map(({ topic, partition, next }) => [topic, partition, next])).toEqual([
    [EVENTS, 1, 9],
    [EVENTS, 0, 4],
    [EDGES, 1, 2],
  ]);
});

test('stretches of topics that the graph does not read are passed over and counted', async () => {
  const { take, taken, counts } = await following();
  await take({ topic: 'twhin.follow', partition: 1, from: 40, until: 50 });
  expect(taken).toEqual([{ topic: EDGES, partition: 1, records: [], next: 1 }]);
  expect(counts.unreadable).toBe(1);
});

test('a shard follows its own partition of the routed events, from the first that are kept, and no event topic', async () => {
  const { log, follower, topics } = await following({ [`${EDGES}/1`]: 12, [`${OTHER}/1`]: 12 });
  expect(topics).toEqual([[EDGES, OTHER]]);
  const reads = [0, 1].flatMap((partition) =>
    [EDGES, OTHER].map((topic) => follower.reads?.(topic, partition)),
  );
  expect(reads).toEqual([false, true, true, true]);
  expect([follower.position(EDGES, 1), follower.position(OTHER, 1)]).toEqual([20, 12]);
  expect((await log.ranges([EDGES, EVENTS])).map(({ topic, partition }) => `${topic}/${partition}`)).toEqual([
    `${EVENTS}/0`,
    `${EVENTS}/1`,
    `${EDGES}/1`,
  ]);
  const further = await following({ [`${EDGES}/1`]: 33 });
  expect(further.follower.position(EDGES, 1)).toBe(33);
  expect((await following()).follower.position(EDGES, 1)).toBeUndefined();
});
