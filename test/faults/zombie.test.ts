import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import { readLog } from '../e2e/topic-reader.ts';
import { until } from '../e2e/twhin.ts';
import type { Elsewhere, Faulty } from './deployment.ts';
import type { Dice } from './dice.ts';
import { type FailpointInput, withFailpoints } from './failpoints/plan.ts';
import { form, seeded } from './seeded.ts';
import { compareEpochs } from './verifier/compare.ts';

/** Places to freeze at, each with a write that is about to happen or just did; undefined: wherever it is. */
const PLACES = [
  { place: 'leadership.confirm', when: 'after' },
  undefined,
  { place: 'sink.publish', when: 'before' },
  { place: 'store.write', when: 'before' },
  { place: 'sink.publish', when: 'after' },
  { place: 'leadership.commit', when: 'before' },
] as const;
/** Events of a commit at this rate, at most; more than twice as many have come while it was frozen. */
const ONE_COMMIT = 500;
/** Calls at a place until all is warm and under way. */
const WARM_CALLS = 60;

seeded(
  'frozen past its session and woken beside its successor: it publishes nothing, and the topic never goes back',
  async ({ dice, deploy }) => {
    const deployed = await deploy({ graphs: ['engagement'] });
    const stores = [deployed.elsewhere('left'), deployed.elsewhere('right')] as const;
    deployed.feeder.start(150);
    const rounds = form(2, 24, 1);
    for (let round = 0; round < rounds; round++) {
      // They take turns: whoever was frozen comes back as the next one's successor, on the store that it left.
      const [one, other] = round % 2 === 0 ? stores : [stores[1], stores[0]];
      const point = PLACES[round % PLACES.length];
      const leader = deployed.run([], { env: { ...one.env, ...freezing(point, dice) } });
      await leader.says(/"msg":"leads the graph"/);
      const standby = deployed.run(['--standby'], { env: other.env });
      await warm(deployed, other);
      if (point === undefined) {
        await sleep(dice.between(0, 1_000));
        leader.kill('SIGSTOP');
      } else await leader.freezes();

      await standby.says(/"msg":"leads the graph"/);
      const before = await deployed.published();
      await until('its successor publishing', async () => (await deployed.published()) > before);
      const [asleep, epoch] = [await deployed.head('engagement', one.state), await epochOf(deployed, other)];
      expect(epoch).toBeGreaterThan(await epochOf(deployed, one));
      leader.kill('SIGCONT');
      const { code, stderr } = await leader.ended;
      expect({ point, code, stderr: stderr.slice(-1_500) }).toMatchObject({ code: 1 });
      expect(stderr).toMatch(/another (process|has)|taken over|fenced/);
      // A commit that it was in the middle of goes to its own store, which nobody reads; no more, though much waits.
      const awake = await deployed.head('engagement', one.state);
      expect((awake?.events.consumed ?? 0) - (asleep?.events.consumed ?? 0)).toBeLessThan(ONE_COMMIT);
      const { records } = await readLog(deployed.brokers, [deployed.twhin.topic('embeddings.engagement')]);
      expect(compareEpochs(records)).toEqual([]);
      standby.kill('SIGKILL');
      await standby.ended;
    }
    await deployed.feeder.stop();
    const last = stores[rounds % 2 === 0 ? 0 : 1];
    await deployed.catchUp({ env: last.env });
    await deployed.verify({ state: last.state, repeatedLetters: true });
  },
);

function freezing(point: (typeof PLACES)[number], dice: Dice): Record<string, string> {
  if (point === undefined) return {};
  const failpoint: FailpointInput = { ...point, call: WARM_CALLS + dice.below(20), act: 'freeze' };
  return withFailpoints(failpoint);
}

/** Waits until the standby's store is not far behind. */
async function warm(deployed: Faulty, { state }: Elsewhere): Promise<void> {
  await until('a warm standby', async () => {
    const consumed = (await deployed.head('engagement', state))?.events.consumed ?? 0;
    return consumed > 0 && consumed > deployed.fed() - 500;
  });
}

async function epochOf(deployed: Faulty, { state }: Elsewhere): Promise<number> {
  return (await deployed.head('engagement', state))?.epoch ?? 0;
}
