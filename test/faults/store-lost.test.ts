import { rm } from 'node:fs/promises';
import { expect } from 'vitest';
import type { Faulty, Replayed } from './deployment.ts';
import { MIXED } from './load/load.ts';
import { form, seeded } from './seeded.ts';

seeded(
  'the store deleted: rebuilt from the topics by a run or a replay, with the edges and the digest that it had',
  async ({ deploy }) => {
    // Many erasures: what went is not to come back from the topics.
    const load = { ...MIXED, erasures: 0.01 };
    const deployed = await deploy({ load });
    const { feeder, twhin } = deployed;
    await feeder.send(form(2_000, 20_000));
    await deployed.catchUp();
    await feeder.send(form(1_000, 10_000));
    await deployed.catchUp();
    const before = await digests(deployed);
    const controls = new Map<string, Replayed>();
    for (const graph of deployed.graphs) controls.set(graph, await deployed.replay(graph, 'control'));

    await rm(deployed.state, { recursive: true });
    await deployed.catchUp();
    const rebuilt = await digests(deployed);
    for (const graph of deployed.graphs) expect(rebuilt[graph]?.edges).toBe(before[graph]?.edges);
    await deployed.verify({ repeatedLetters: true });

    await rm(deployed.state, { recursive: true });
    for (const graph of deployed.graphs) {
      const replayed = await deployed.replay(graph, 'again');
      expect(replayed).toEqual(controls.get(graph));
      expect(replayed.digest.edges).toBe(before[graph]?.edges);
      await twhin.ok(['promote', 'again', '--graph', graph]);
    }
    await feeder.send(500);
    await deployed.catchUp();
    await deployed.verify({ repeatedLetters: true });
  },
);

async function digests({ twhin, graphs }: Faulty): Promise<Record<string, Replayed['digest'] | undefined>> {
  const stats = Object(await twhin.json(['stats', '--digest'])).graphs;
  return Object.fromEntries(graphs.map((graph) => [graph, stats[graph].digest]));
}
