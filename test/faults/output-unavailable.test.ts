import { AclOperationTypes, AclPermissionTypes, AclResourceTypes, ResourcePatternTypes } from 'kafkajs';
import { afterAll, afterEach, beforeAll, describe, expect, inject } from 'vitest';
import { connect } from '../../src/adapters/connect.ts';
import { client } from '../e2e/topic-reader.ts';
import { until } from '../e2e/twhin.ts';
import { type SuiteBrokers, startSuiteBrokers } from './brokers.ts';
import { Faulty, MANY_COMMITS } from './deployment.ts';
import { form, LONG, seeded } from './seeded.ts';

const EVENTS = form(1_500, 20_000);
const MAX_OUTBOX = 200;

/** Three brokers have no authorizer: the long form has one broker of its own that has. */
let own: SuiteBrokers | undefined;
let faulty: Faulty | undefined;

beforeAll(async () => {
  if (LONG) own = await startSuiteBrokers(1);
});
afterAll(() => own?.stop());

afterEach(async () => {
  await faulty?.remove();
  faulty = undefined;
});

/** Takes writing to a topic from everybody; gives the way back. */
async function denyWrites(brokers: string, topic: string): Promise<() => Promise<void>> {
  const admin = client(brokers).admin();
  await admin.connect();
  const entry = {
    ...{ resourceType: AclResourceTypes.TOPIC, resourceName: topic, host: '*' },
    ...{ resourcePatternType: ResourcePatternTypes.LITERAL, principal: 'User:ANONYMOUS' },
  };
  const { ALLOW, DENY } = AclPermissionTypes;
  await admin.createAcls({
    acl: [
      { ...entry, operation: AclOperationTypes.ALL, permissionType: ALLOW },
      { ...entry, operation: AclOperationTypes.WRITE, permissionType: DENY },
    ],
  });
  return async () => {
    await admin.deleteAcls({
      filters: [{ ...entry, operation: AclOperationTypes.ANY, permissionType: AclPermissionTypes.ANY }],
    });
    await admin.disconnect();
  };
}

/** Sets a topic's own setting; gives the way back. */
async function set(brokers: string, topic: string, name: string, bad: string, good: string) {
  const log = connect({ brokers: brokers.split(','), clientId: 'apart' });
  await log.admin().alterConfigs(topic, { [name]: bad });
  return async () => {
    await log.admin().alterConfigs(topic, { [name]: good });
    await log.close();
  };
}

/** Takes the topic away from an updater under load, and gives it back once all events are trained. */
async function trainsOn(
  here: Faulty,
  remedy: string,
  take: (brokers: string, topic: string) => Promise<() => Promise<void>>,
): Promise<void> {
  await here.feeder.send(EVENTS);
  await here.catchUp();
  const giveBack = await take(here.brokers, here.twhin.topic('embeddings.engagement'));
  let given = false;
  const giveBackOnce = async () => {
    if (!given) await giveBack();
    given = true;
  };
  try {
    const running = here.run();
    await running.says(/"msg":"leads the graph"/, 60_000);
    await here.feeder.send(EVENTS);
    await running.says(/trying again/, 90_000);
    await running.says(new RegExp(remedy), 90_000);
    await until('all events trained', async () => (await here.consumed()) === here.fed(), 120_000);
    const stored = await here.stored();
    expect(stored?.head.outbox).toBeGreaterThan(0);
    expect(stored?.head.outbox).toBeLessThanOrEqual(stored?.entities.size ?? 0);
    await running.says(/"msg":"not ready"/);
    await giveBackOnce();
    await here.caughtUp(120_000);
    running.kill('SIGTERM');
    expect(await running.ended).toMatchObject({ code: 0 });
  } finally {
    await giveBackOnce();
  }
  await here.verify();
}

describe('the output topic unavailable', () => {
  const ways = [
    ['writing denied', 'WRITE', denyWrites],
    [
      'records too large',
      'max\\.message\\.bytes',
      (brokers: string, topic: string) => set(brokers, topic, 'max.message.bytes', '100', '1048588'),
    ],
  ] as const;
  for (const [name, remedy, take] of ways) {
    seeded(
      `${name}: training goes on, the vectors wait, nothing is lost`,
      async ({ dice }) => {
        faulty = await Faulty.deploy({
          brokers: own?.brokers ?? inject('brokers'),
          dice,
          graphs: ['engagement'],
        });
        await trainsOn(faulty, remedy, take);
      },
      form(240_000, 600_000),
    );
  }

  seeded(
    'too few replicas in sync: training goes on, the vectors wait, nothing is lost',
    async ({ dice, skip }) => {
      if (!LONG)
        skip('a single broker never asks for more replicas than there are; npm run faults has three');
      const three = await startSuiteBrokers(3);
      try {
        faulty = await Faulty.deploy({ brokers: three.brokers, dice, graphs: ['engagement'] });
        await trainsOn(faulty, 'embeddings', async (brokers, topic) => {
          const giveBack = await set(brokers, topic, 'min.insync.replicas', '3', '2');
          await three.nodes[2]?.kill();
          return async () => {
            await three.nodes[2]?.restart();
            await giveBack();
          };
        });
      } finally {
        await faulty?.remove();
        faulty = undefined;
        await three.stop();
      }
    },
    600_000,
  );

  seeded(
    `with publish.maxOutbox, reading pauses instead, and goes on afterwards`,
    async ({ dice }) => {
      const config = MANY_COMMITS.replace('publish: {', `publish: { maxOutbox: ${MAX_OUTBOX},`);
      const here = await Faulty.deploy({
        brokers: own?.brokers ?? inject('brokers'),
        dice,
        config,
        graphs: ['engagement'],
      });
      faulty = here;
      const giveBack = await denyWrites(here.brokers, here.twhin.topic('embeddings.engagement'));
      try {
        const running = here.run();
        await running.says(/"msg":"leads the graph"/, 60_000);
        await here.feeder.send(EVENTS * 4);
        await running.says(/reading pauses/, 90_000);
        const outbox = (await here.stored())?.head.outbox ?? 0;
        const consumed = await here.consumed();
        expect(consumed).toBeLessThan(here.fed());
        // What was read at once before the pause is trained too: one hand-over's worth over the bound.
        expect(outbox).toBeLessThan(MAX_OUTBOX + 1_024);
        await giveBack();
        await here.caughtUp(120_000);
        running.kill('SIGTERM');
        expect(await running.ended).toMatchObject({ code: 0 });
      } finally {
        // Again where it came to that already: rules that are gone are nothing to take away.
        await giveBack().catch(() => undefined);
      }
      await here.verify();
    },
    form(240_000, 600_000),
  );
});
