import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect } from 'vitest';
import { committedOf } from '../e2e/topic-ends.ts';
import { type Faulty, MANY_CHECKPOINTS } from './deployment.ts';
import { drawKill, TELL_READS, withFailpoints } from './failpoints/plan.ts';
import { MIXED } from './load/load.ts';
import { form, seeded } from './seeded.ts';
import { GRAPHS } from './verifier/truth.ts';

/** Half written; written, and not named; named, with the one before still there. */
const CHECKPOINT_PLACES = [
  { place: 'checkpoint.block', when: 'before' },
  { place: 'checkpoint.write', when: 'after' },
  { place: 'checkpoint.dropBefore', when: 'before' },
  { place: 'store.sync', when: 'before' },
] as const;

describe('kill -9', () => {
  const cycles = form(6, 100, 2);

  seeded(
    `at random moments, ${cycles} cycles under load: edges, counts and vectors as if nothing had happened`,
    async ({ dice, deploy }) => {
      // Most of so many events of a few hundred users, often erased, would repeat an edge whose count no order settles.
      const { users, tweets, erasures } = MIXED;
      const times = form(4, 20);
      const world = { users: times * users, tweets: times * tweets };
      const load = { ...MIXED, ...world, erasures: form(erasures, erasures / 4) };
      const faulty = await deploy({ load });
      faulty.feeder.start(300);
      let committed = 0;
      for (let cycle = 0; cycle < cycles; cycle++) {
        // At a place drawn by chance, or at a moment; where the place is not met, at a moment after all.
        const env = cycle % 2 === 0 ? withFailpoints(drawKill(dice)) : {};
        const running = faulty.run([], { env });
        await Promise.race([running.ended, sleep(dice.between(500, 7_000))]);
        running.kill('SIGKILL');
        const { signal, stderr } = await running.ended;
        expect(signal, stderr.slice(-3000)).toBe('SIGKILL');
        const now = await faulty.consumed();
        expect(now).toBeGreaterThanOrEqual(committed);
        committed = now;
      }
      await faulty.feeder.stop();
      await faulty.catchUp();
      const verified = await faulty.verify({ repeatedLetters: true });
      expect(verified.unsure).toBeLessThan(verified.events / 20);
    },
  );

  for (const { place, when } of CHECKPOINT_PLACES) {
    seeded(`${when} ${place}: the journal makes up for the checkpoint`, async ({ dice, deploy }) => {
      const faulty = await deploy({ config: MANY_CHECKPOINTS });
      for (let round = 0; round < form(2, 10, 1); round++)
        await faulty.runUntilKilled({ place, when, call: dice.between(1, 4), act: 'kill' });
      await faulty.catchUp();
      await faulty.verify({ repeatedLetters: true });
    });
  }

  seeded(
    'between the store’s write and Kafka’s commit: it resumes at the store’s offset',
    async ({ dice, deploy }) => {
      const faulty = await deploy({ graphs: ['engagement'] });
      for (let round = 0; round < form(2, 10, 1); round++) {
        // The store's write before it is the one that Kafka never hears of; the first two calls may come before any.
        const kill = {
          place: 'leadership.commit',
          when: 'before',
          call: dice.between(4, 12),
          act: 'kill',
        } as const;
        await faulty.runUntilKilled(kill);
        const stored = await storedOffsets(faulty);
        expect(stored.size).toBeGreaterThan(0);
        const told = await toldOffsets(faulty);
        expect([...stored].some(([place, offset]) => offset > (told.get(place) ?? 0))).toBe(true);

        // All that was there may be in the store by now.
        await faulty.feeder.send(50);
        const again = faulty.run(['--until-caught-up'], { env: { [TELL_READS]: 'yes' } });
        expect((await again.ended).code).toBe(0);
        const wrong = [...firstReads(again.stderr)].filter(
          ([place, offset]) => offset !== (stored.get(place) ?? 0),
        );
        expect(wrong).toEqual([]);
        expect(firstReads(again.stderr).size).toBeGreaterThan(0);
      }
      await faulty.verify({ repeatedLetters: true });
    },
  );

  seeded(
    'between the store’s write and the publish: the topic equals the store for every key',
    async ({ dice, deploy }) => {
      const faulty = await deploy({ load: { ...MIXED, bad: 0 } });
      for (let round = 0; round < form(2, 10, 1); round++) {
        // Nothing bad was sent, so all that is published is vectors, each after the write that holds it. What each graph
        // publishes first are the relation vectors of its first commit, and no entity waits then.
        const when = round % 2 === 0 ? 'before' : 'after';
        const kill = { place: 'sink.publish', when, call: dice.between(3, 10), act: 'kill' } as const;
        await faulty.runUntilKilled(kill);
        const waiting = await Promise.all(faulty.graphs.map((graph) => faulty.stored(graph)));
        expect(waiting.some((stored) => (stored?.head.outbox ?? 0) > 0)).toBe(true);
      }
      // Nothing new comes: what was not acknowledged is published for its own sake.
      await faulty.catchUp();
      await faulty.verify();
    },
  );
});

/** Where the store stands, by `TOPIC/PARTITION`. */
async function storedOffsets(faulty: Faulty): Promise<Map<string, number>> {
  const offsets = new Map<string, number>();
  const stored = await faulty.stored();
  for (const [topic, partitions] of Object.entries(stored?.head.positions ?? {})) {
    for (const [partition, { offset }] of Object.entries(partitions))
      offsets.set(`${topic}/${partition}`, offset);
  }
  return offsets;
}

/** Where the group stands as Kafka was told. */
async function toldOffsets(faulty: Faulty): Promise<Map<string, number>> {
  const topics = GRAPHS.engagement.topics.map((name) => faulty.twhin.topic(name));
  const told = await committedOf(faulty.brokers, `${faulty.twhin.prefix}engagement`, topics);
  return new Map(
    told.map(({ topic, partition, committed }) => [`${topic}/${partition}`, Math.max(committed, 0)]),
  );
}

/** The first offset that was read of each partition, as the process told. */
function firstReads(stderr: string): Map<string, number> {
  const first = new Map<string, number>();
  for (const [, place = '', offset] of stderr.matchAll(/^read (\S+) (\d+)$/gm)) {
    if (!first.has(place)) first.set(place, Number(offset));
  }
  return first;
}
