import { expect, test } from 'vitest';
import { silentLog } from '../../../src/log.ts';
import type { Follower, RecordRun } from '../../../src/pipeline/ports.ts';
import { routedLog } from '../../../src/pipeline/routing/routed-log.ts';
import { encodeStretch } from '../../../src/pipeline/routing/stretch.ts';

const [EVENTS, EDGES] = ['twhin.engagement', 'twhin.edges.g'];

test('records that no router wrote are passed over and counted', async () => {
  const counts = { unreadable: 0 };
  let follower: Follower | undefined;
  const log = routedLog(
    {
      ranges: async () => [],
      topicIds: async () => ({}),
      follow: async (_, own) => {
        follower = own;
        return { close: async () => undefined };
      },
      close: async () => undefined,
    },
    { shard: { graph: 'g', index: 1, count: 2 }, edgesTopic: EDGES, eventTopics: [EVENTS], counts },
    silentLog,
  );
  const taken: RecordRun[] = [];
  await log.follow([EVENTS, EDGES], {
    position: () => 0,
    take: async (run) => {
      taken.push(run);
    },
    failed: (error) => {
      throw error;
    },
  });
  const stretch = encodeStretch({ topic: EVENTS, partition: 0, from: 0, until: 3, records: [] });
  const records = [null, Buffer.from('{"broken'), stretch].map((value, offset) => ({
    topic: EDGES,
    partition: 1,
    offset,
    timestamp: 0,
    key: null,
    value,
  }));
  await follower?.take({ topic: EDGES, partition: 1, records, next: 3 });
  expect(counts).toEqual({ unreadable: 2 });
  expect(taken.map(({ topic, next }) => [topic, next])).toEqual([
    [EVENTS, 3],
    [EDGES, 3],
  ]);
});
