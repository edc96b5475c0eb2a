import { describe, expect } from 'vitest';
import { sendAs, withProducer } from './load/direct.ts';
import { Load, type LoadRecord, MIXED, ORDERLESS } from './load/load.ts';
import { form, seeded } from './seeded.ts';

describe('what producers do to a topic', () => {
  seeded(
    'the same batch again and again by a producer that heard no answer: each event counts once',
    async ({ dice, deploy }) => {
      const deployed = await deploy();
      const { feeder, twhin, brokers } = deployed;
      const load = new Load(dice.fork(), MIXED);
      const distinct = load.take(form(1_500, 10_000)).map((record, n) => ({ ...record, n }));
      await withProducer(brokers, {}, async (producer) => {
        for (let at = 0; at < distinct.length; at += 100) {
          const batches = Map.groupBy(distinct.slice(at, at + 100), ({ topic }) => topic);
          for (let times = dice.between(1, 3); times > 0; times--) {
            for (const batch of batches.values()) {
              await sendAs(feeder, producer, twhin.prefix, batch);
            }
          }
        }
      });
      await deployed.catchUp();
      const verified = await deployed.verify();
      expect(verified.sentTwice).toBeGreaterThan(distinct.length / 4);
    },
  );

  seeded(
    'events of an edge over several partitions, in any order, by clocks that disagree: the latest event wins',
    async ({ dice, deploy }) => {
      const deployed = await deploy();
      const { feeder, twhin, brokers } = deployed;
      const load = new Load(dice.fork(), { ...ORDERLESS, users: 40, tweets: 40, undone: 0.3, bad: 0 });
      const skews = [0, 0, 3_600_000, -3_600_000, 86_400_000, -30 * 86_400_000];
      const records = load
        .take(form(3_000, 20_000))
        .map((record, n) => skewed({ ...record, n }, dice.pick(skews)));
      // Each under one of the keys and in one of the partitions, whoever acts in it; and not in the order made.
      for (let i = records.length - 1; i > 0; i--) {
        const j = Math.max(0, i - dice.below(200));
        [records[i], records[j]] = [records[j]!, records[i]!];
      }
      const running = deployed.run();
      await running.says(/store is new/);
      await withProducer(brokers, {}, async (producer) => {
        for (let at = 0; at < records.length; at += 200) {
          for (const [, part] of Map.groupBy(records.slice(at, at + 200), ({ topic }) => topic)) {
            // The records' own clocks are wrong as well; a broker takes up to an hour ahead.
            const timestamp = Date.now() + dice.pick([0, -86_400_000, 1_800_000]);
            await sendAs(feeder, producer, twhin.prefix, part, { partition: dice.below(4), timestamp });
          }
        }
      });
      await deployed.caughtUp();
      await running.stop();
      const verified = await deployed.verify();
      // That is what it was about: of most edges it could not be known which event comes first.
      expect(verified.unsure).toBeGreaterThan(records.length / 4);
      expect(verified.removed).toBeGreaterThan(0);
    },
  );
});

/** The same event by a clock that is off. */
function skewed(record: LoadRecord, byMs: number): LoadRecord {
  const event = JSON.parse(String(record.value));
  return { ...record, value: JSON.stringify({ ...event, at: event.at + byMs }) };
}
