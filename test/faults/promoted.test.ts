import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import { z } from 'zod';
import { settledEnds } from '../e2e/topic-ends.ts';
import { withFailpoints } from './failpoints/plan.ts';
import { form, seeded } from './seeded.ts';
import { GRAPHS } from './verifier/truth.ts';

const GRAPH = ['--graph', 'engagement'];
const LIVE = z.object({ live: z.string() });
/** Words of an updater that swaps, at which it is killed. */
const SAID = [/"msg":"another store is live/, /"msg":"store promoted"/, /("msg":"leads the graph".*){2}/s];
/** The second updater of a process takes the topic over: it is killed before the fence is set, or after. */
const FENCES = (['before', 'after'] as const).map((when) =>
  withFailpoints({ place: 'sink.takeOver', when, call: 2, act: 'kill' }),
);

seeded(
  'kill -9 at each step of a promotion and of a rollback, under load: nothing lost, nothing twice, no step falls',
  async ({ dice, deploy }) => {
    const deployed = await deploy({ graphs: ['engagement'] });
    const { feeder, twhin, state } = deployed;
    const live = async () =>
      LIVE.parse(JSON.parse(await readFile(join(state, 'engagement', 'live.json'), 'utf8'))).live;
    const promote = (store: string) => ['promote', store, ...GRAPH];
    await feeder.send(2_000);
    const topics = GRAPHS.engagement.topics.map((name) => twhin.topic(name));
    const range = rangeOf(await settledEnds(deployed.brokers, topics));
    feeder.start(150);
    const updater = deployed.run();
    await deployed.progresses();
    // Beside the live updater and without it, the range gives the same digest.
    const args = ['--until', range, '--set', 'learningRate=0.03'];
    const beside = await deployed.replay('engagement', 'shadow', ...args);
    await updater.stop();
    expect(await deployed.replay('engagement', 'control', ...args)).toEqual(beside);
    let store = 'main';
    const swap = async (env: Record<string, string>, said?: RegExp) => {
      store = store === 'main' ? 'shadow' : 'main';
      const running = deployed.run([], { env });
      await running.says(/"msg":"leads the graph"/);
      await deployed.progresses();
      if (said !== undefined) running.killOnceSaid(said);
      await twhin.ok(store === 'main' ? ['promote', '--rollback', ...GRAPH] : promote(store));
      const { signal, stderr } = await running.ended;
      expect(signal, stderr.slice(-3_000)).toBe('SIGKILL');
      expect(await live()).toBe(store);
    };
    for (let round = 0; round < form(1, 10); round++) {
      for (const said of SAID) await swap({}, said);
      for (const env of FENCES) await swap(env);
      // The command is killed: the one store is live or the other, and the same command ends it.
      const killed = twhin.start(promote('shadow'));
      await Promise.race([killed.ended, sleep(dice.between(100, 900))]);
      killed.kill('SIGKILL');
      await killed.ended;
      expect(await live()).toBeOneOf(['shadow', store]);
      store = 'shadow';
      await twhin.ok(promote(store));
    }
    await feeder.stop();
    for (const store of ['shadow', 'main']) {
      await twhin.ok(promote(store));
      await deployed.catchUp();
      await deployed.verify({ repeatedLetters: true });
    }
  },
);

/** Offsets as a person writes them. */
function rangeOf(ends: ReadonlyMap<string, ReadonlyMap<number, number>>): string {
  return [...ends]
    .flatMap(([topic, partitions]) =>
      [...partitions].map(([partition, end]) => `${topic}/${partition}:${end}`),
    )
    .join(',');
}
