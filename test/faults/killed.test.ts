import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, inject } from 'vitest';
import { Faulty } from './deployment.ts';
import { drawKill, withFailpoints } from './failpoints/plan.ts';
import { form, seeded } from './seeded.ts';

let faulty: Faulty | undefined;

afterEach(async () => {
  await faulty?.remove();
  faulty = undefined;
});

describe('kill -9', () => {
  const cycles = form(6, 100);

  seeded(
    `at random moments, ${cycles} cycles under load: edges, counts and vectors as if nothing had happened`,
    async ({ dice }) => {
      faulty = await Faulty.deploy({ brokers: inject('brokers'), dice });
      faulty.feeder.start(300);
      let committed = 0;
      const kills: string[] = [];
      for (let cycle = 0; cycle < cycles; cycle++) {
        // At a place drawn by chance, or at a moment; where the place is not met, at a moment after all.
        const env = cycle % 2 === 0 ? withFailpoints(drawKill(dice)) : {};
        const running = faulty.run([], { env });
        await Promise.race([running.ended, sleep(dice.between(500, 7_000))]);
        running.kill('SIGKILL');
        const { signal, stderr } = await running.ended;
        expect({ signal, stderr: stderr.slice(-2000) }).toMatchObject({ signal: 'SIGKILL' });
        kills.push(/failpoint: .*/.exec(stderr)?.[0] ?? 'killed at a moment');
        const now = await faulty.consumed();
        expect(now).toBeGreaterThanOrEqual(committed);
        committed = now;
      }
      await faulty.feeder.stop();
      await faulty.catchUp();
      const verified = await faulty.verify({ repeatedLetters: true });
      process.stderr.write(`${JSON.stringify({ kills: kills.length, ...verified })}\n`);
      expect(verified.unsure).toBeLessThan(verified.events / 20);
    },
    form(180_000, 1_800_000),
  );
});
