import { afterEach, describe, expect, inject } from 'vitest';
import { z } from 'zod';
import { SMALL } from '../e2e/twhin.ts';
import { Faulty } from './deployment.ts';
import { form, LONG, seeded } from './seeded.ts';

/** From a record's arrival to its vector acknowledged. */
const P99_TARGET_MS = 3_000;

const resultOf = z.looseObject({
  digest: z.object({ edges: z.string(), vectors: z.string() }),
  events: z.number(),
  step: z.number(),
  range: z.array(z.object({ topic: z.string(), partition: z.number(), from: z.number(), until: z.number() })),
});
const progressOf = z.looseObject({
  msg: z.literal('progress'),
  latencyMs: z.object({ p50: z.number(), p99: z.number() }),
});

let faulty: Faulty | undefined;

afterEach(async () => {
  await faulty?.remove();
  faulty = undefined;
});

describe('a shadow replay beside the live updater', () => {
  seeded(
    'ends in the digest of one that had the machine to itself, and the live one stays fresh',
    async ({ dice }) => {
      const here = await Faulty.deploy({
        brokers: inject('brokers'),
        dice,
        config: SMALL,
        graphs: ['engagement'],
      });
      faulty = here;
      await here.feeder.send(form(4_000, 100_000));
      const running = here.run();
      await here.caughtUp(120_000);
      here.feeder.start(form(200, 1_000));
      const replay = async (...args: string[]) =>
        resultOf.parse(
          await here.twhin.json(['replay', '--graph', 'engagement', ...args], { limitMs: 900_000 }),
        );
      const beside = await replay('--into', 'beside', ...form(['--rate', '200'], ['--cpu-share', '0.4']));
      const latency = latenciesIn(running.stderr).at(-1);
      await here.feeder.stop();
      await here.caughtUp(120_000);
      running.kill('SIGTERM');
      expect(await running.ended).toMatchObject({ code: 0 });

      const until = beside.range.map((each) => `${each.topic}/${each.partition}:${each.until}`).join(',');
      const alone = await replay('--into', 'alone', '--until', until);
      expect([alone.digest, alone.step, alone.events]).toEqual([beside.digest, beside.step, beside.events]);
      await here.verify();
      process.stderr.write(`${JSON.stringify({ latency, events: beside.events })}\n`);
      expect(latency).toBeDefined();
      // Tests of the short form share their machine.
      if (LONG) expect(latency?.p99).toBeLessThan(P99_TARGET_MS);
    },
    form(180_000, 1_800_000),
  );
});

function latenciesIn(stderr: string): { p50: number; p99: number }[] {
  return stderr.split('\n').flatMap((line) => {
    if (!line.startsWith('{')) return [];
    const parsed = progressOf.safeParse(JSON.parse(line));
    return parsed.success ? [parsed.data.latencyMs] : [];
  });
}
