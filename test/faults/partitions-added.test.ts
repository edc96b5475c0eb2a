import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import { growTopic } from '../e2e/topic-ends.ts';
import { until } from '../e2e/twhin.ts';
import { ORDERLESS } from './load/load.ts';
import { form, seeded } from './seeded.ts';

seeded(
  'partitions added to topics while running are picked up, and nothing in them is missed',
  async ({ deploy }) => {
    const deployed = await deploy({ load: ORDERLESS });
    const running = deployed.run();
    await running.says(/store is new/);
    deployed.feeder.start(200);
    await deployed.progresses();
    for (const [topic, count] of [
      ['engagement', 6],
      ['ad-click', form(5, 9)],
      ['search', form(5, 12)],
    ] as const) {
      await growTopic(deployed.brokers, deployed.twhin.topic(topic), count);
      // Events are in the new ones well before the updater looks for them.
      deployed.feeder.spreadOver(topic, count);
      await sleep(500);
    }
    const added = async () => {
      const positions = (await deployed.head())?.positions[deployed.twhin.topic('engagement')] ?? {};
      return [4, 5].every((partition) => (positions[partition]?.offset ?? 0) > 0);
    };
    await until('the new partitions being read', added);
    await deployed.feeder.stop();
    await deployed.caughtUp();
    expect(running.over).toBe(false);
    await running.stop();
    await deployed.verify();
  },
);
