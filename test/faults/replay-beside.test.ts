import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, expect, inject } from 'vitest';
import { type Running, until } from '../e2e/twhin.ts';
import { Faulty } from './deployment.ts';
import { BESIDE_OTHERS, form, seeded } from './seeded.ts';

/** From an event's arrival to its vector's acknowledgement, 99 of 100: what a live updater is to keep. */
const TARGET_MS = 2_000;
/** About half of what the small machine of the tests takes beside load and brokers. */
const HALF_LOAD = 200;
/** Vectors whose latency is told; the short form has hardly more to catch up with than its first line tells of. */
const TOLD_OF = form(0, 4_096);

let faulty: Faulty | undefined;

afterEach(async () => {
  await faulty?.remove();
  faulty = undefined;
});

seeded(
  'a replay beside the live updater at half load: the same digest as a control’s, and the live one keeps its latency',
  async ({ dice }) => {
    const deployed = await Faulty.deploy({ brokers: inject('brokers'), dice, graphs: ['engagement'] });
    faulty = deployed;
    const { feeder, twhin } = deployed;
    await feeder.send(form(6_000, 100_000, 2_000));
    const running = deployed.run();
    await deployed.caughtUp();
    feeder.start(HALF_LOAD);
    await forgotten(running);
    const fair = BESIDE_OTHERS ? undefined : await latency(running);
    const until = rangeOf((await deployed.head())?.offsets ?? {});
    const args = ['replay', '--graph', 'engagement', '--until', until, '--json'];
    const shadow = twhin.start([...args, '--into', 'shadow', '--cpu-share', '0.5'], {});
    const beside = BESIDE_OTHERS ? undefined : await latency(running, () => !shadow.over);
    const { code, stdout, stderr } = await shadow.ended;
    expect({ code, stderr: stderr.slice(-1_000) }).toMatchObject({ code: 0 });
    await feeder.stop();
    await deployed.caughtUp();
    running.kill('SIGTERM');
    expect(await running.ended).toMatchObject({ code: 0 });
    const control = await twhin.ok([...args, '--into', 'control']);
    expect(digestOf(stdout)).toEqual(digestOf(control));
    await deployed.verify();
    if (beside === undefined) return;
    process.stderr.write(`${JSON.stringify({ fair, beside })}\n`);
    expect(Math.max(...beside)).toBeLessThan(TARGET_MS);
  },
);

/** Waits until the latency that is told is no more that of catching up: it is of so many vectors published last. */
async function forgotten(running: Running): Promise<void> {
  const published = () => Number(/.*"published":(\d+)/s.exec(running.stderr)?.[1] ?? 0);
  const from = published();
  await until('vectors', () => published() >= from + TOLD_OF);
}

/** The 99th percentiles of the next lines of progress, ms; two at the least, and for as long as `goesOn`. */
async function latency(running: Running, goesOn: () => boolean = () => false): Promise<number[]> {
  const lines = () => running.stderr.split('\n').filter((line) => line.includes('"msg":"progress"'));
  const from = lines().length;
  while (goesOn()) await sleep(100);
  await until('two lines of progress', () => lines().length >= from + 2);
  // The first still tells of the time before.
  return lines()
    .slice(from + 1)
    .map((line) => Number(JSON.parse(line).latencyMs.p99));
}

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
