import { afterEach, expect, inject } from 'vitest';
import { Faulty } from './deployment.ts';
import { form, seeded } from './seeded.ts';

/** About half of what the small machine of the tests takes beside load and brokers. */
const HALF_LOAD = 200;
let faulty: Faulty | undefined;

afterEach(async () => {
  await faulty?.remove();
  faulty = undefined;
});

seeded(
  'a replay beside the live updater at half load: the same digest as a control’s, and the live store is right',
  async ({ dice }) => {
    const deployed = await Faulty.deploy({ brokers: inject('brokers'), dice, graphs: ['engagement'] });
    faulty = deployed;
    const { feeder, twhin } = deployed;
    await feeder.send(form(6_000, 100_000, 2_000));
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
    running.kill('SIGTERM');
    expect(await running.ended).toMatchObject({ code: 0 });
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
