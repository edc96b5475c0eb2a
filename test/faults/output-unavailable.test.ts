import { setTimeout as sleep } from 'node:timers/promises';
import {
  type AclEntry,
  AclOperationTypes,
  AclPermissionTypes,
  AclResourceTypes,
  ResourcePatternTypes,
} from 'kafkajs';
import { afterAll, beforeAll, describe, expect, inject } from 'vitest';
import { KafkaAdmin } from '../../src/adapters/kafka/admin.ts';
import { withAdmin } from '../e2e/topic-ends.ts';
import { readLog } from '../e2e/topic-reader.ts';
import { type Running, until } from '../e2e/twhin.ts';
import { type SuiteBrokers, startSuiteBrokers } from './brokers.ts';
import type { DeployOptions, Faulty } from './deployment.ts';
import { LONG, seeded } from './seeded.ts';

/** Brokers of this file's own, where those of all files can't take its settings. */
let brokers: SuiteBrokers | undefined;
afterAll(() => brokers?.stop());

describe('the output topic takes nothing', () => {
  beforeAll(async () => {
    // Rights are denied by one broker alone, and the long form has three.
    if (LONG) brokers = await startSuiteBrokers(1);
  });

  seeded(
    'because writing it is denied: training goes on, and all is published once it is allowed again',
    async ({ deploy }) => {
      await goesOn(await deploy(there()), 5_000, denied);
    },
  );

  seeded(
    'because records are too large for it: training goes on, and all is published once they are not',
    async ({ dice, deploy }) => {
      await goesOn(await deploy(there()), dice.between(4_000, 6_000), tooLarge);
    },
  );
});

// A topic that one broker holds always has all its replicas in sync.
if (LONG) {
  describe('the output topic has too few replicas in sync', () => {
    beforeAll(async () => {
      await brokers?.stop();
      brokers = await startSuiteBrokers(3);
    });

    seeded('training goes on, and all is published once a broker is back', async ({ dice, deploy }) => {
      const here = await deploy(there());
      await configure(here, { 'min.insync.replicas': '3' });
      const node = dice.pick(brokers?.nodes ?? []);
      await goesOn(here, dice.between(8_000, 12_000), (_, on) => (on ? node.kill() : node.restart()));
    });
  });
}

/** What is deployed on the brokers of this file. */
const there = (): Partial<DeployOptions> => ({
  ...{ brokers: brokers?.brokers ?? inject('brokers'), graphs: ['engagement'] },
});

/** Under load, with the output refused for a while: events are learned all the same, and nothing is lost. */
async function goesOn(
  here: Faulty,
  forMs: number,
  refuse: (here: Faulty, on: boolean) => Promise<void>,
): Promise<void> {
  const running = await underWay(here);
  await refuse(here, true);
  await running.says(/not acknowledged|refused/);
  await here.progresses();
  await sleep(forMs);
  const published = await vectors(here);
  const before = await here.consumed();
  await here.progresses();
  await until('much learned', async () => (await here.consumed()) > before + 300);
  const stored = await here.stored();
  expect(stored?.head.outbox).toBeGreaterThan(0);
  // As many vectors and tombstones wait as there are entities and erased ones, at the most.
  expect(stored?.head.outbox).toBeLessThanOrEqual(
    (stored?.entities.size ?? 0) + (stored?.erasures.size ?? 0),
  );
  expect(await vectors(here)).toBe(published);
  expect({ over: running.over, stderr: running.stderr.slice(-1_000) }).toMatchObject({ over: false });
  await refuse(here, false);
  await endsWell(here, running);
}

async function underWay(here: Faulty): Promise<Running> {
  const running = here.run();
  await running.says(/"msg":"leads the graph"/);
  here.feeder.start(150);
  await here.progresses();
  await until('something published', async () => (await here.published()) > 0);
  return running;
}

async function endsWell(here: Faulty, running: Running): Promise<void> {
  await here.feeder.stop();
  if (!running.over) {
    await here.caughtUp();
    await running.stop();
  }
  // Its last word to the group may not have been heard; the next one's first is.
  await here.catchUp();
  await here.verify({ repeatedLetters: true });
}

/** Committed records of the output topic; its end moves with every attempt that the brokers take back. */
async function vectors({ brokers, twhin }: Faulty): Promise<number> {
  return (await readLog(brokers, [twhin.topic('embeddings.engagement')])).records.length;
}

/** Takes the right to write the output topic away from everyone, or gives it back. */
async function denied(here: Faulty, on: boolean): Promise<void> {
  const entry = (permissionType: AclPermissionTypes, operation: AclOperationTypes): AclEntry => ({
    ...{ resourceType: AclResourceTypes.TOPIC, resourceName: here.twhin.topic('embeddings.engagement') },
    ...{ resourcePatternType: ResourcePatternTypes.LITERAL, principal: 'User:ANONYMOUS', host: '*' },
    ...{ operation, permissionType },
  });
  // With an entry for a topic, what no entry allows is denied.
  const acl = [
    entry(AclPermissionTypes.ALLOW, AclOperationTypes.ALL),
    entry(AclPermissionTypes.DENY, AclOperationTypes.WRITE),
  ];
  await withAdmin(here.brokers, async (admin) => {
    if (on) await admin.createAcls({ acl });
    else await admin.deleteAcls({ filters: acl });
  });
}

async function tooLarge(here: Faulty, on: boolean): Promise<void> {
  await configure(here, { 'max.message.bytes': on ? '100' : '1048588' });
}

async function configure(here: Faulty, configs: Readonly<Record<string, string>>): Promise<void> {
  // Ours, since that of kafkajs takes every other setting away.
  const admin = new KafkaAdmin({ brokers: here.brokers.split(','), clientId: 'faults' });
  await admin.alterConfigs(here.twhin.topic('embeddings.engagement'), configs);
  await admin.close();
}
