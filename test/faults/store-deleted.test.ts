import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, inject } from 'vitest';
import { z } from 'zod';
import { Faulty } from './deployment.ts';
import { form, seeded } from './seeded.ts';

const digestOf = z.object({ digest: z.object({ edges: z.string(), vectors: z.string() }), step: z.number() });
const statsOf = z.object({
  graphs: z.object({ engagement: z.object({ digest: z.object({ edges: z.string() }) }) }),
});

let faulty: Faulty | undefined;

afterEach(async () => {
  await faulty?.remove();
  faulty = undefined;
});

describe('the store deleted', () => {
  seeded(
    'is rebuilt from the topics: edges as before, a replay’s digest as its control’s, the topic as the new store',
    async ({ dice }) => {
      const here = await Faulty.deploy({ brokers: inject('brokers'), dice, graphs: ['engagement'] });
      faulty = here;
      await here.feeder.send(form(3_000, 50_000));
      await here.catchUp();
      const replay = async (into: string) =>
        digestOf.parse(
          await here.twhin.json(['replay', '--graph', 'engagement', '--into', into], { limitMs: 600_000 }),
        );
      const control = await replay('control');

      await rm(join(here.state, 'engagement'), { recursive: true });
      await here.catchUp();
      await here.verify({ repeatedLetters: true });
      const stats = statsOf.parse(await here.twhin.json(['stats', '--graph', 'engagement', '--digest']));
      expect(stats.graphs.engagement.digest.edges).toBe(control.digest.edges);
      expect(await replay('again')).toEqual(control);
    },
    form(120_000, 900_000),
  );
});
