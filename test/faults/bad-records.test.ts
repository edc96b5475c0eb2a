import { gzipSync } from 'node:zlib';
import { CompressionCodecs, CompressionTypes } from 'kafkajs';
import { describe, expect } from 'vitest';
import { KafkaAdmin } from '../../src/adapters/kafka/admin.ts';
import { withAdmin } from '../e2e/topic-ends.ts';
import { until } from '../e2e/twhin.ts';
import { registerCodecs } from '../kafka/kafkajs-codecs.ts';
import { sendBatch, zstdBatch } from '../kafka/raw-batch.ts';
import { MANY_COMMITS } from './deployment.ts';
import { sendAs, withProducer } from './load/direct.ts';
import { type LoadRecord, MIXED } from './load/load.ts';
import { form, furtherCase, seeded } from './seeded.ts';

const TOPICS = ['engagement', 'follow', 'ad-click', 'search', 'erasure'];
const GOOD = { userId: 'u1', tweetId: 't1', action: 'like', at: 1_704_067_200_000 };
const text = JSON.stringify(GOOD);

/** Values that no topic can read, each as a sender that was set up wrong would send it. */
const POISON: readonly (readonly [what: string, value: Buffer | string | null, code: string])[] = [
  ['compressed by hand', gzipSync(text), 'not-json'],
  ['UTF-16', Buffer.from(text, 'utf16le'), 'not-json'],
  ['a schema registry’s frame', Buffer.concat([Buffer.of(0, 0, 0, 0, 42), Buffer.from(text)]), 'not-json'],
  ['Avro', Buffer.of(0, 0, 0, 0, 7, 4, 117, 49, 4, 116, 49, 8, 108, 105, 107, 101), 'not-json'],
  ['a schema of another version', JSON.stringify({ v: 2, payload: GOOD }), 'wrong-shape'],
  ['several events in one', JSON.stringify([GOOD, GOOD]), 'wrong-shape'],
  ['cut off', text.slice(0, text.length / 2), 'not-json'],
  ['cut off within a character', Buffer.from(`${text.slice(0, -2)}é"}`).subarray(0, -3), 'not-json'],
  ['zeros', Buffer.alloc(512), 'not-json'],
  ['almost as large as a broker takes', Buffer.alloc(900_000, 'x'), 'too-large'],
  ['large and well-formed', JSON.stringify({ ...GOOD, padding: 'y'.repeat(500_000) }), 'too-large'],
  ['a bomb of brackets', '['.repeat(60_000) + ']'.repeat(5_000), 'not-json'],
  ['nothing', null, 'null-value'],
];

describe('records that can’t be used', () => {
  seeded(
    'of every kind between good ones: dead letters equal what was injected, and the lag drains',
    async ({ dice, deploy }) => {
      const deployed = await deploy({
        load: { ...MIXED, bad: 0.25 },
      });
      registerCodecs();
      const running = deployed.run();
      await running.says(/store is new/);
      const { feeder, twhin } = deployed;
      const rounds = form(2, 10, 1);
      for (let round = 0; round < rounds; round++) {
        await feeder.send(1_000);
        await withProducer(deployed.brokers, {}, async (producer) => {
          for (const topic of TOPICS) {
            for (const [, value, code] of POISON) {
              const bad = { n: feeder.next, topic, key: `k${dice.below(50)}`, value, code };
              await sendAs(feeder, producer, twhin.prefix, [bad]);
            }
          }
        });
        await feeder.send(200);
      }
      await deployed.caughtUp();
      await running.stop();
      const verified = await deployed.verify();
      expect(verified.letters).toBeGreaterThan(rounds * (TOPICS.length * POISON.length + 200));
    },
  );

  for (const letterBytes of [undefined, 10_000]) {
    const taken = letterBytes === undefined ? 'the beginning of its value' : 'its place alone';
    seeded(
      `one of 3 MB between good ones of two producers stops nothing; its letter has ${taken} in a topic of ${letterBytes ?? 'the usual'} bytes`,
      async ({ deploy }) => {
        const deployed = await deploy({ graphs: ['engagement'], load: { ...MIXED, bad: 0.1 } });
        const { feeder, twhin, brokers } = deployed;
        await limit(brokers, twhin.topic('engagement'), 5_000_000);
        if (letterBytes) await limit(brokers, twhin.topic('dead-letter'), letterBytes);
        const running = deployed.run();
        await running.says(/"msg":"leads the graph"/);
        const fed = feeder.send(1_000);
        const value = JSON.stringify({ ...GOOD, padding: 'é'.repeat(1_500_000) });
        const large = { n: feeder.next, topic: 'engagement', key: 'u1', value, code: 'too-large' };
        await withProducer(brokers, {}, (producer) => sendAs(feeder, producer, twhin.prefix, [large]));
        await fed;
        await feeder.send(200);
        await deployed.caughtUp();
        await running.stop();
        await deployed.verify({ ...(letterBytes && { letterBytes }) });
      },
    );
  }

  seeded(
    'wait while their topic is missing: /readyz says so at once, a stop ends well in its time, and nothing is lost or comes twice',
    async ({ deploy }) => {
      const config = MANY_COMMITS.replace('limits: {', 'limits: { stopMs: 9_000,');
      const deployed = await deploy({ graphs: ['engagement'], load: { ...MIXED, bad: 0.1 }, config });
      const { feeder, twhin, brokers } = deployed;
      const topic = twhin.topic('dead-letter');
      await withAdmin(brokers, (admin) => admin.deleteTopics({ topics: [topic] }));
      const running = deployed.run(['--http', '127.0.0.1:0']);
      await running.says(/"msg":"leads the graph"/);
      await feeder.send(500);
      await running.says(/dead letters could not be published/);
      const ready = await fetch(`${await running.url()}/readyz`);
      const said = await ready.text();
      expect([ready.status, said]).toEqual([503, expect.stringContaining('it waits for dead letters')]);
      expect(said).toMatch(new RegExp(`dead letters are not acknowledged: [^"]*${topic}`));
      const began = performance.now();
      await running.stop();
      expect(performance.now() - began).toBeLessThan(9_000);
      await twhin.ok(['topics', 'apply']);
      await deployed.catchUp();
      await deployed.verify();
    },
  );

  seeded(
    'a graph that runs alone writes the dead letters of all its topics, and another graph its own later',
    async ({ deploy }) => {
      const deployed = await deploy({ load: { ...MIXED, bad: 0.5 } });
      await deployed.feeder.send(200);
      for (const graphs of [['follow'], ['follow', 'engagement']] as const) {
        await deployed.catchUp({ graphs: graphs.slice(-1) });
        expect((await deployed.verify({ graphs })).letters).toBeGreaterThan(0);
      }
    },
  );

  furtherCase(
    'batches in every codec are read; one whose codec is wrong, or that is cut off, comes no further than the broker',
    async ({ dice, deploy }) => {
      const deployed = await deploy();
      registerCodecs();
      const running = deployed.run();
      await running.says(/store is new/);
      const { feeder, twhin, brokers } = deployed;
      const likes = (count: number): LoadRecord[] =>
        Array.from({ length: count }, (_, i) => {
          const n = feeder.next + i;
          const value = JSON.stringify({ ...GOOD, tweetId: `t${n}`, at: GOOD.at + n });
          return { n, topic: 'engagement', key: 'u1', value };
        });
      const { None, GZIP, Snappy, LZ4, ZSTD } = CompressionTypes;
      await withProducer(brokers, {}, async (producer) => {
        for (const compression of [None, GZIP, Snappy, LZ4, ZSTD, None]) {
          await sendAs(feeder, producer, twhin.prefix, likes(200), { compression, partition: dice.below(4) });
        }
      });
      const damages: readonly ((bytes: Buffer) => Buffer)[] = [
        (bytes) => bytes.subarray(0, bytes.length / 2),
        (bytes) => Buffer.from(bytes).fill(0x5a, bytes.length / 3),
        () => Buffer.from('not compressed at all'),
      ];
      const codec = CompressionCodecs[ZSTD];
      for (const damage of damages) {
        CompressionCodecs[ZSTD] = () => ({
          compress: async ({ buffer }: { buffer: Buffer }) => damage(await codec().compress({ buffer })),
          decompress: codec().decompress,
        });
        const refused = await withProducer(brokers, { retry: { retries: 0 } }, (producer) =>
          sendAs(feeder, producer, twhin.prefix, likes(50), { compression: ZSTD }).then(
            () => 'taken',
            () => 'refused',
          ),
        ).finally(() => {
          CompressionCodecs[ZSTD] = codec;
        });
        expect(refused).toBe('refused');
      }
      await feeder.send(500);
      await deployed.caughtUp();
      await running.stop();
      await deployed.verify();
    },
  );

  furtherCase(
    'one zstd batch of 200,000 events is learned whole, by a leader that keeps its place in the group meanwhile',
    async ({ deploy }) => {
      const deployed = await deploy({ graphs: ['follow'] });
      const { twhin, brokers } = deployed;
      const running = deployed.run();
      await running.says(/"msg":"leads the graph"/);
      const member = await memberOf(brokers, `${twhin.prefix}follow`);
      // 500 edges, again and again: what counts is that every record is read, and a repeat counts once.
      const records = Array.from({ length: 200_000 }, (_, n) => ({
        key: `u${n % 500}`,
        value: JSON.stringify({
          followerId: `u${n % 500}`,
          followedId: 'hub',
          action: 'follow',
          at: GOOD.at,
        }),
      }));
      await sendBatch(brokers, twhin.topic('follow'), zstdBatch(records));
      await until('every event', async () => (await deployed.consumed('follow')) === 200_000);
      expect(await memberOf(brokers, `${twhin.prefix}follow`)).toEqual(member);
      expect(running.stderr).not.toMatch(/no broker answers|call stack/);
      await running.stop();
      expect((await deployed.stored('follow'))?.edges.size).toBe(500);
    },
  );
});

/** Lets a topic take messages of so many bytes. */
async function limit(brokers: string, topic: string, bytes: number): Promise<void> {
  const admin = new KafkaAdmin({ brokers: brokers.split(','), clientId: 'faults' });
  await admin.alterConfigs(topic, { 'max.message.bytes': String(bytes) });
  await admin.close();
}

/** The group's one member and its generation's state, as an independent client sees them. */
async function memberOf(brokers: string, groupId: string): Promise<unknown> {
  const { groups } = await withAdmin(brokers, (admin) => admin.describeGroups([groupId]));
  return groups.map(({ state, members }) => [state, members.map(({ memberId }) => memberId)]);
}
