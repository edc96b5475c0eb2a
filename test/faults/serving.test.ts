import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, expect } from 'vitest';
import { produceRaw } from '../e2e/raw-producer.ts';
import { SMALL, Twhin, until } from '../e2e/twhin.ts';
import { type SuiteBrokers, startSuiteBrokers } from './brokers.ts';
import { form, seeded } from './seeded.ts';

/** Brokers of their own: this test kills them. */
let brokers: SuiteBrokers;
let twhin: Twhin | undefined;
beforeAll(async () => {
  brokers = await startSuiteBrokers(1);
});
afterAll(() => brokers?.stop());
afterEach(async () => {
  await twhin?.remove();
  twhin = undefined;
});

const OUTAGE_S = form(8, 30, 4);
const T0 = Date.UTC(2024, 4, 1);
const likes = (users: number, from: number) =>
  Array.from({ length: users * 4 }, (_, i) => ({
    userId: `u${i % users}`,
    tweetId: `t${(i * 7 + from) % 50}`,
    action: 'like',
    at: T0 + from * 1_000 + i,
  }));

seeded(
  `serving goes on while the brokers are away for ${OUTAGE_S} s, says so, and follows again; broken records are skipped and named`,
  async ({ dice }) => {
    const here = await Twhin.create(brokers.brokers, SMALL);
    twhin = here;
    await here.ok(['topics', 'apply']);
    await here.feed('engagement', likes(40, 0));
    await here.ok(['run', '--graph', 'engagement', '--until-caught-up']);
    const serving = here.start(['serve', '--graph', 'engagement', '--http', '127.0.0.1:0']);
    const url = await serving.url();
    const ask = async (user: string) => {
      const reply = await fetch(`${url}/v1/candidates?surface=home&user=${user}&k=10`);
      return { status: reply.status, ...Object(await reply.json()) };
    };
    await until('ready', async () => (await fetch(`${url}/readyz`).catch(() => undefined))?.status === 200);
    const user = `u${dice.below(40)}`;
    const before = await ask(user);
    expect(before).toMatchObject({ status: 200, fallback: null, staleSince: null });
    expect(before.items).toHaveLength(10);

    // Records that are no vectors, as somebody else's producer could write them.
    const topic = here.topic('embeddings.engagement');
    const raw = (key: string, value: Buffer, headers: Record<string, string>) => ({
      topic,
      key,
      value,
      headers,
      timestamp: Date.now(),
    });
    const whole = { graph: 'engagement', dim: '16', dtype: 'float32', step: '9', at: '9', epoch: '9' };
    const headers = { ...whole, fingerprint: 'other', space: 'other' };
    const notANumber = Buffer.alloc(64);
    notANumber.writeFloatLE(Number.NaN, 8);
    await produceRaw(brokers.brokers, [
      raw(`tweet:${before.items[0].entity}`, Buffer.alloc(60), headers),
      raw('tweet:x', notANumber, headers),
      raw('no entity', Buffer.alloc(64), headers),
      raw('tweet:y', Buffer.alloc(64), {}),
    ]);
    const skipped = async () =>
      Number(
        /skipped_records_total\{graph="engagement"\} (\d+)/.exec(
          await (await fetch(`${url}/metrics`)).text(),
        )?.[1],
      );
    await until('all four are skipped', async () => (await skipped()) === 4);
    for (const reason of ['holds 15 numbers', 'not finite', 'not an entity', 'header dtype is missing'])
      expect(serving.stderr).toContain(reason);
    expect((await ask(user)).items).toEqual(before.items);

    await Promise.all(brokers.nodes.map((node) => node.kill()));
    await until('answers are told to be stale', async () => (await ask(user)).staleSince !== null);
    await sleep(OUTAGE_S * 1_000);
    const away = await ask(user);
    expect([away.status, away.items]).toEqual([200, before.items]);
    expect(away.staleSince).toBeLessThanOrEqual(Date.now() - OUTAGE_S * 1_000);
    expect(serving.over).toBe(false);

    await Promise.all(brokers.nodes.map((node) => node.restart()));
    await until('answers are no longer stale', async () => (await ask(user)).staleSince === null);
    await here.feed('engagement', [...likes(1, 900).map((each) => ({ ...each, userId: 'late' }))]);
    await here.ok(['run', '--graph', 'engagement', '--until-caught-up']);
    await until('a user of afterwards has a list', async () => (await ask('late')).fallback === null);
    serving.kill('SIGTERM');
    expect((await serving.ended).code).toBe(0);
  },
);
