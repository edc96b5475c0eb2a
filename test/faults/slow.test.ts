import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect } from 'vitest';
import { type Faulty, MANY_CHECKPOINTS } from './deployment.ts';
import { withFailpoints } from './failpoints/plan.ts';
import { MIXED } from './load/load.ts';
import { form, seeded } from './seeded.ts';

describe('slow', () => {
  seeded(
    'disk: writes and reads that take long are waited for, a checkpoint is not, and nothing else changes',
    async ({ deploy }) => {
      const faulty = await deploy({ config: MANY_CHECKPOINTS });
      const env = withFailpoints(
        { place: 'store.write', when: 'before', call: 1, repeats: true, act: { delayMs: 700 } },
        { place: 'store.getMany', when: 'after', call: 20, repeats: true, act: { delayMs: 40 } },
        { place: 'checkpoint.block', when: 'before', call: 2, act: { delayMs: 8_000 } },
      );
      faulty.feeder.start(200);
      const running = faulty.run([], { env });
      await running.says(/store is new/);
      await sleep(form(5_000, 60_000));
      await faulty.feeder.stop();
      await faulty.caughtUp();
      await running.stop();
      await faulty.verify();
    },
  );

  seeded(
    'each second answer of the broker, lost once all is committed: no vector goes back while entities are erased and named again',
    async ({ deploy }) => {
      const place = 'sink.publish' as const;
      const lost = Array.from({ length: form(40, 400) }, (_, i) => ({
        ...{ place, when: 'after' as const, call: 4 + 2 * i, act: { error: 'the answer was lost' } },
      }));
      const env = withFailpoints(
        { place, when: 'before', call: 1, repeats: true, act: { delayMs: 400 } },
        ...lost,
      );
      const faulty = await deploy({ load: { ...MIXED, users: 30, tweets: 30, erasures: 0.1, bad: 0 } });
      faulty.feeder.start(200);
      const running = faulty.run([], { env });
      await running.says(/store is new/);
      await sleep(form(8_000, 60_000));
      await faulty.feeder.stop();
      await faulty.caughtUp();
      await running.says(/the answer was lost/);
      await running.stop();
      await faulty.verify();
    },
  );

  seeded(
    'broker, narrow lines, dropped connections and silence: latency grows, and nothing else',
    async ({ dice, deploy, proxies }) => {
      const before = await proxies();
      const deployed = await deploy({ through: before.through });
      const running = deployed.run();
      await running.says(/store is new/);
      deployed.feeder.start(200);
      await deployed.progresses();
      before.change({ latencyMs: 150 });
      const slow = await latencies(deployed, form(8_000, 30_000));
      before.change({ bytesPerS: 60_000 });
      await sleep(form(4_000, 30_000));
      for (let drops = 0; drops < form(4, 20); drops++) {
        before.change({ cutsAnswers: true });
        await sleep(dice.between(100, 800));
        before.change({ latencyMs: 20 });
        await sleep(dice.between(100, 1_500));
        dice.pick(before.each).drop();
        await sleep(dice.between(300, 2_500));
      }
      before.change({ blackHole: true });
      await sleep(form(4_000, 30_000));
      before.clear();
      await deployed.progresses();
      await deployed.feeder.stop();
      await deployed.caughtUp();
      expect({ over: running.over, stderr: running.stderr.slice(-1_000) }).toMatchObject({ over: false });
      await running.stop();
      await deployed.verify();
      // One way of the line at the least; how much more is the machine's affair.
      expect(slow).toBeGreaterThan(150);
      expect(before.cut).toBeGreaterThan(0);
    },
  );
});

/** Median time from an event's sending to its commit in the store, ms, over a while: seen from outside. */
async function latencies(deployed: Faulty, forMs: number): Promise<number> {
  const seen: number[] = [];
  for (const end = Date.now() + forMs; Date.now() < end; ) {
    // An event that is new: without one nothing is waited for, and the feeder of a busy machine may rest.
    const before = deployed.fed();
    while (deployed.fed() === before) await sleep(5);
    const wanted = deployed.fed();
    const asked = Date.now();
    while ((await deployed.consumed()) < wanted) await sleep(5);
    seen.push(Date.now() - asked);
  }
  return seen.sort((a, b) => a - b)[Math.floor(seen.length / 2)] ?? 0;
}
