import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect } from 'vitest';
import { type Running, until } from '../e2e/twhin.ts';
import { type SuiteBrokers, startSuiteBrokers } from './brokers.ts';
import { type Faulty, MANY_COMMITS } from './deployment.ts';
import { MIXED } from './load/load.ts';
import { form, longCase, seeded } from './seeded.ts';
import { Served } from './served.ts';

/** How long everything may stand still after a broker is gone. */
const STANDSTILL_MS = 30_000;

/** Brokers of their own: these tests kill them. */
let brokers: SuiteBrokers;
beforeAll(async () => {
  brokers = await startSuiteBrokers(form(1, 3));
});
afterAll(() => brokers?.stop());
/** Of a deployment. */
const GRAPHS = 2;
const OUTAGE_S = form(10, 120);

/** Most entities come up once, and their vectors are never published again: none may be missing. */
const SELDOM = { ...MIXED, users: 50_000, tweets: 50_000 };
const ONCE = MANY_COMMITS.replace('epsilon: 0.01', 'epsilon: 1e6, maxAgeMs: 1e9');

describe('brokers killed hard under load', () => {
  longCase(
    'each in turn: no acknowledged event or vector is missing, and all goes on within 30 s',
    async ({ dice, deploy }) => {
      const faulty = await deploy({ brokers: brokers.brokers, load: SELDOM, config: ONCE });
      const running = faulty.run();
      await running.says(/store is new/);
      faulty.feeder.start(400);
      await faulty.progresses();
      const standstills: number[] = [];
      for (const node of brokers.nodes) {
        await node.kill();
        const began = Date.now();
        const [consumed, published] = [await faulty.consumed(), await faulty.published()];
        await until(
          'events in and vectors out again',
          async () => (await faulty.consumed()) !== consumed && (await faulty.published()) > published,
          STANDSTILL_MS + 30_000,
        );
        standstills.push(Date.now() - began);
        await sleep(dice.between(2_000, 6_000));
        await node.restart();
        // Another is killed only once all have what this one missed: two of three must have every record.
        await sleep(8_000);
      }
      await faulty.feeder.stop();
      await faulty.caughtUp();
      expect(running.over).toBe(false);
      expect(await missingAfterKill(faulty, running)).toEqual([]);
      await faulty.catchUp();
      await faulty.verify({ repeatedLetters: true });
      expect(Math.max(...standstills)).toBeLessThan(STANDSTILL_MS);
    },
  );

  seeded(
    `all of them, for ${OUTAGE_S} s: it waits, serve answers and says since when, both recover, no vector is missing`,
    async ({ deploy }) => {
      const faulty = await deploy({
        brokers: brokers.brokers,
        load: { ...SELDOM, tweets: 200 },
        config: ONCE,
      });
      const running = faulty.run();
      await running.says(/store is new/);
      faulty.feeder.start(200);
      await faulty.progresses();
      const said = (text: string) => running.stderr.split(text).length - 1;
      const saidReady = () => said('"msg":"ready"');
      await until('each graph ready', () => saidReady() >= GRAPHS);
      const served = await Served.start(faulty.twhin);
      await served.ready();
      const list = () => served.similar('tweet:t0');
      await until('a list', async () => (await list()).status === 200);
      expect((await list()).body).toMatchObject({ staleSince: null });
      const unready = said('"msg":"not ready"');
      await Promise.all(brokers.nodes.map((node) => node.kill()));
      await running.says(/no broker answers/);
      await until('not ready', () => said('"msg":"not ready"') > unready);
      await until('a stale list', async () => (await list()).body.staleSince !== null);
      const [ready, stale] = [saidReady(), await list()];
      expect(stale.body.items.length).toBeGreaterThan(10);
      await sleep(OUTAGE_S * 1000);
      // Nothing comes, and so nothing changes: since when it is stale neither.
      expect(await list()).toEqual(stale);
      expect({ over: running.over, stderr: running.stderr.slice(-1000) }).toMatchObject({ over: false });
      expect(saidReady()).toBe(ready);
      await Promise.all(brokers.nodes.map((node) => node.restart()));
      await faulty.progresses();
      await until('ready again', () => saidReady() > ready);
      await until('a list of what came since', async () => {
        const { staleSince, step } = (await list()).body;
        return staleSince === null && step > stale.body.step;
      });
      await faulty.feeder.stop();
      await faulty.caughtUp();
      expect([running.over, served.running.over]).toEqual([false, false]);
      await served.running.stop();
      expect(await missingAfterKill(faulty, running)).toEqual([]);
      await faulty.catchUp();
      await faulty.verify({ repeatedLetters: true });
    },
  );
});

/** Entities without a published vector once all was read. A run that ends by itself would publish all that moved. */
async function missingAfterKill(faulty: Faulty, running: Running): Promise<unknown> {
  const missing = await faulty.unpublished();
  running.kill('SIGKILL');
  await running.ended;
  return missing;
}
