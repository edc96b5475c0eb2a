import { rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { expect } from 'vitest';
import { deleteRecords, withAdmin } from '../e2e/topic-ends.ts';
import { until } from '../e2e/twhin.ts';
import { withProducer } from './load/direct.ts';
import { MIXED } from './load/load.ts';
import { seeded } from './seeded.ts';
import { endAll, type Sharded } from './sharded.ts';

const EVENTS = 600;
const LOAD = { ...MIXED, erasures: 0.004 };
const TOPICS = ['engagement', 'ad-click', 'search', 'erasure'];
/** What a shard says that closes a gap. */
const FILLED = 'events that no router sent are read from their topic';

seeded(
  'routed events that are gone before a shard read them are read from the event topics, once, through a kill and all',
  async ({ deployShards }) => {
    const here = await deployShards(2, LOAD);
    await here.send(EVENTS);
    await here.catchUp(here.all);
    await here.send(EVENTS);
    await here.catchUp([0]);
    // All of it: nothing comes after the gap by which the shard could see it.
    await deleteRouted(here, 1);
    const before = await here.consumed(1);
    const killed = here.start(1);
    await until('a part of the gap', async () => (await here.consumed(1)) > before);
    killed.kill('SIGKILL');
    expect((await killed.ended).stderr).toContain(FILLED);
    await here.catchUp([1]);
    await here.verify();

    await here.send(EVENTS);
    await here.catchUp([0]);
    await deleteRouted(here, 1);
    const running = here.all.map((shard) => here.start(shard));
    await here.send(EVENTS);
    await here.caughtUp();
    await endAll(running);
    expect(running.map(({ stderr }) => stderr.includes(FILLED))).toEqual([false, true]);
    await here.verify();
  },
);

seeded(
  'a shard whose store is gone is made again of what was routed, and of the event topics where that is not all there',
  async ({ deployShards }) => {
    const here = await deployShards(2, LOAD);
    await here.send(EVENTS);
    await here.catchUp(here.all);
    const folder = dirname(here.folder(1));
    await rm(folder, { recursive: true });
    await here.send(EVENTS);
    await here.catchUp(here.all);
    await here.verify();

    await rm(folder, { recursive: true });
    await deleteRouted(here, 1);
    await here.send(EVENTS);
    await here.catchUp(here.all);
    await here.verify();
  },
);

seeded(
  'routers whose group has lost its place, or was set ahead of what is routed: each event counts once',
  async ({ deployShards }) => {
    // Nobody writes the dead letters of what routers never read.
    const here = await deployShards(2, { ...LOAD, bad: 0 });
    const { brokers, twhin } = here.faulty;
    const groupId = twhin.topic('engagement.routers');
    await withAdmin(brokers, async (admin) => {
      await here.send(EVENTS);
      await here.catchUp(here.all);
      await admin.deleteGroups([groupId]);
      await here.send(EVENTS);
      await here.catchUp(here.all);
      await here.verify();

      await here.send(EVENTS);
      for (const name of TOPICS) {
        const topic = twhin.topic(name);
        const partitions = await admin.fetchTopicOffsets(topic);
        await admin.setOffsets({ groupId, topic, partitions });
      }
      const running = here.all.map((shard) => here.start(shard));
      await here.send(EVENTS);
      await here.caughtUp();
      await endAll(running);
      expect(running.map(({ stderr }) => stderr.includes(FILLED))).toEqual([true, true]);
      await here.verify();
    });
  },
);

seeded(
  'records of others in the topic of routed events are passed over with a line each, and nothing is lost',
  async ({ deployShards }) => {
    const here = await deployShards(2, LOAD);
    const { brokers, twhin } = here.faulty;
    const topic = twhin.topic('edges.engagement');
    const engagement = twhin.topic('engagement');
    const stretch = { version: 2, topic: engagement, partition: 0, from: 0, until: 1_000_000 };
    const like = (offset: number, lhs: string) => ({
      ...{ ...stretch, relations: ['likes'] },
      changes: [[offset, 0, 0, lhs, 'tweet:x', 1]],
    });
    const foreign = [
      '',
      'garbage',
      null,
      Buffer.from([0xff, 0x00, 0xfe]),
      '{}',
      ...[
        { ...like(5, 'user:x'), version: 1 },
        like(5, 'no entity'),
        { ...like(5, 'user:x'), relations: [] },
        like(1_000_000, 'user:x'),
        { ...like(5, 'user:x'), topic: twhin.topic('follow') },
      ].map((each) => JSON.stringify(each)),
    ];
    const running = here.all.map((shard) => here.start(shard));
    await here.send(EVENTS);
    await withProducer(brokers, {}, async (producer) => {
      for (const value of foreign) {
        await producer.send({ topic, messages: here.all.map((partition) => ({ partition, value })) });
        await here.send(20);
      }
    });
    await here.send(EVENTS);
    await here.caughtUp();
    await endAll(running);
    for (const { stderr } of running)
      expect(stderr.split('a record is passed over').length - 1).toBe(foreign.length);
    await here.verify();
  },
);

/** Deletes everything that was routed to a shard so far. */
function deleteRouted({ faulty: { brokers, twhin } }: Sharded, shard: number): Promise<void> {
  return deleteRecords(brokers, twhin.topic('edges.engagement'), shard);
}
