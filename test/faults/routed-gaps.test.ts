import { rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { afterEach, expect, inject } from 'vitest';
import { behind, client } from '../e2e/topic-ends.ts';
import { type Ended, until } from '../e2e/twhin.ts';
import { withProducer } from './load/direct.ts';
import { MIXED } from './load/load.ts';
import { form, furtherCase, seeded } from './seeded.ts';
import { endAll, Sharded, wellEnded } from './sharded.ts';

let sharded: Sharded | undefined;

afterEach(async () => {
  await sharded?.remove();
  sharded = undefined;
});

const EVENTS = 600;
const LOAD = { ...MIXED, erasures: 0.004 };
const ALONE = ['--no-router'];
const ENDING = ['--no-router', '--until-caught-up'];

furtherCase(
  'routed events that are gone before a shard read them: its start is refused, and what the refusal says heals it',
  async ({ dice }) => {
    const here = await deployed(dice);
    const router = here.route();
    await here.send(EVENTS);
    await here.catchUp(here.all, ALONE);
    await here.send(EVENTS);
    await routedAll(here);
    await here.catchUp([0], ALONE);
    // All of it: nothing comes after the gap by which the shard could see it.
    await deleteRouted(here, 1);
    expectGap(await here.start(1, { args: ENDING }).ended);
    await heal(here, 1);
    await here.catchUp(here.all, ALONE);

    await here.send(EVENTS);
    await routedAll(here);
    await deleteRouted(here, 1);
    const before = await here.head(1);
    const running = [here.start(1, { args: ALONE }), here.start(0, { args: ALONE })];
    await here.send(EVENTS);
    expectGap(await running[0]!.ended);
    expect((await here.head(1))?.events).toEqual(before?.events);
    await heal(here, 1);
    running[0] = here.start(1, { args: ALONE });
    await here.send(EVENTS);
    await here.readAll();
    await endAll([...running, router]);
    await here.verify('either');
  },
);

furtherCase(
  'a shard whose store is gone is made again of what was routed, and says what to do where that is not all there',
  async ({ dice }) => {
    const here = await deployed(dice);
    const router = here.route();
    await here.send(EVENTS);
    await here.catchUp(here.all, ALONE);
    const folder = dirname(here.folder(1));
    await rm(folder, { recursive: true });
    await here.send(EVENTS);
    await here.catchUp(here.all, ALONE);
    await here.verify('routed');

    await rm(folder, { recursive: true });
    await deleteRouted(here, 1);
    expectGap(await here.start(1, { args: ENDING }).ended);
    await heal(here, 1);
    await here.send(EVENTS);
    await here.catchUp(here.all, ALONE);
    await endAll([router]);
    await here.verify('either');
  },
);

seeded(
  'records of others in the topic of routed events are passed over with a line each, and nothing is lost',
  async ({ dice }) => {
    const here = await deployed(dice);
    const { brokers, twhin } = here.faulty;
    const topic = twhin.topic('edges.engagement');
    const stretch = { version: 1, partition: 0, from: 0, until: 1_000_000, relations: ['likes'] };
    const one = { offsets: [5], timestamps: [0], kinds: [0], lhs: ['user:x'], rhs: ['tweet:x'], at: [1] };
    const foreign = [
      '',
      'garbage',
      null,
      Buffer.from([0xff, 0x00, 0xfe]),
      '{}',
      JSON.stringify({ ...stretch, ...one, topic: twhin.topic('engagement'), version: 2 }),
      JSON.stringify({ ...stretch, ...one, topic: twhin.topic('engagement'), lhs: ['no entity'] }),
      JSON.stringify({ ...stretch, ...one, topic: twhin.topic('engagement'), lhs: [] }),
      JSON.stringify({ ...stretch, ...one, topic: twhin.topic('engagement'), offsets: [1_000_000] }),
      JSON.stringify({ ...stretch, ...one, topic: twhin.topic('follow') }),
    ];
    const router = here.route();
    const running = here.all.map((shard) => here.start(shard, { args: ALONE }));
    await here.send(EVENTS);
    await withProducer(brokers, {}, async (producer) => {
      for (const value of foreign) {
        await producer.send({ topic, messages: here.all.map((partition) => ({ partition, value })) });
        await here.send(20);
      }
    });
    await here.send(EVENTS);
    await here.readAll();
    await endAll([...running, router]);
    for (const { stderr } of running)
      expect(stderr.split('a record is passed over').length - 1).toBe(foreign.length);
    await here.verify('routed');
  },
);

furtherCase(
  'events read directly, then routed, then directly: each counts once, through kills and all',
  async ({ dice }) => {
    const here = await deployed(dice);
    const ways = { direct: await here.reading(false), routed: await here.reading(true) };
    const router = here.route();
    for (let turn = 0; turn < form(5, 20); turn++) {
      // What is left of a turn is read in the other way.
      const env = turn % 2 === 0 ? ways.direct : ways.routed;
      const running = here.all.map((shard) => here.start(shard, { args: ALONE, env }));
      const before = await Promise.all(here.all.map((shard) => here.consumed(shard)));
      const sending = here.send(EVENTS, { spread: turn > 0 });
      for (const shard of here.all) {
        await until(`shard ${shard} reading`, async () => (await here.consumed(shard)) > before[shard]!);
        running[shard]!.kill('SIGKILL');
        expect((await running[shard]!.ended).signal).toBe('SIGKILL');
      }
      await sending;
    }
    await here.catchUp(here.all, ALONE);
    await endAll([router]);
    await here.verify('either');
  },
);

async function deployed(dice: Parameters<typeof Sharded.deploy>[0]['dice']): Promise<Sharded> {
  sharded = await Sharded.deploy({ brokers: inject('brokers'), dice, shards: 2, load: LOAD, routed: true });
  return sharded;
}

/** Waits until the routers have sent every event to whom it concerns. */
async function routedAll({ faulty: { brokers, twhin } }: Sharded): Promise<void> {
  const topics = ['engagement', 'ad-click', 'search', 'erasure'].map((name) => twhin.topic(name));
  const group = `${twhin.prefix}engagement.routers`;
  await until('all events routed', async () => (await behind(brokers, group, topics)).length === 0);
}

/** Deletes everything that was routed to a shard so far. */
async function deleteRouted({ faulty: { brokers, twhin } }: Sharded, shard: number): Promise<void> {
  const topic = twhin.topic('edges.engagement');
  const admin = client(brokers).admin();
  await admin.connect();
  try {
    // Without a look at the topic first, kafkajs does not know who leads it.
    await admin.fetchTopicOffsets(topic);
    await admin.deleteTopicRecords({ topic, partitions: [{ partition: shard, offset: '-1' }] });
  } finally {
    await admin.disconnect();
  }
}

const ADVICE =
  /were not routed to shard 1 of engagement: let the shard read them itself, with graphs\.engagement\.routed false and twhin run --graph engagement --shard 1 --until-caught-up; then set it back/;

function expectGap({ code, stderr }: Ended): void {
  expect([code, stderr.slice(-3_000)]).toEqual([1, expect.stringMatching(ADVICE)]);
}

/** Does what the refusal says. */
async function heal(here: Sharded, shard: number): Promise<void> {
  const env = await here.reading(false);
  await wellEnded([here.start(shard, { args: ['--until-caught-up'], env })]);
}
