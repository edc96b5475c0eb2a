import { expect } from 'vitest';
import { form, seeded } from './seeded.ts';

/** About half of what the small machine of the tests takes beside load and brokers. */
const HALF_LOAD = 200;
seeded(
  'a replay beside the live updater at half load: the same digest as a control’s, and the live store is right',
  async ({ deploy }) => {
    const deployed = await deploy({ graphs: ['engagement'] });
    const { feeder, twhin } = deployed;
    await feeder.send(form(6_000, 100_000));
    const running = deployed.run();
    await deployed.caughtUp();
    feeder.start(HALF_LOAD);
    const until = rangeOf((await deployed.head())?.offsets ?? {});
    const args = ['replay', '--graph', 'engagement', '--until', until, '--json'];
    const shadow = twhin.start([...args, '--into', 'shadow'], {});
    const { code, stdout, stderr } = await shadow.ended;
    expect({ code, stderr: stderr.slice(-1_000) }).toMatchObject({ code: 0 });
    await feeder.stop();
    await deployed.caughtUp();
    await running.stop();
    const control = await twhin.ok([...args, '--into', 'control']);
    expect(digestOf(stdout)).toEqual(digestOf(control));
    await deployed.verify();
  },
);

/** Offsets as a person writes them. */
function rangeOf(offsets: Readonly<Record<string, Readonly<Record<string, number>>>>): string {
  return Object.entries(offsets)
    .flatMap(([topic, partitions]) =>
      Object.entries(partitions).map(([partition, offset]) => `${topic}/${partition}:${offset}`),
    )
    .join(',');
}

function digestOf(said: string): unknown {
  return JSON.parse(said.trim().split('\n').at(-1) ?? '').digest;
}
