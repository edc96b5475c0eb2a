import { setTimeout as sleep } from 'node:timers/promises';
import type { Producer } from 'kafkajs';
import { expect } from 'vitest';
import { readStore } from '../e2e/stored.ts';
import { until } from '../e2e/twhin.ts';
import type { Dice } from './dice.ts';
import { withProducer } from './load/direct.ts';
import { form, seeded } from './seeded.ts';

/** Producers at once, each with a transactional id of its own. */
const PRODUCERS = 4;
const PARTITIONS = 4;
/** What is asked of a partition at a time is a mebibyte at most: these make transactions longer than a fetch. */
const PADDING = 'x'.repeat(4_000);
const LONG_TRANSACTION = 1_200;

seeded(
  'transactions of four producers interleaved, half aborted: exactly the committed events, live, after a take-over and in a replay',
  async ({ dice, deploy }) => {
    const deployed = await deploy({ graphs: ['follow'] });
    const { twhin, brokers } = deployed;
    const topic = twhin.topic('follow');
    const running = deployed.run();
    await running.says(/"msg":"leads the graph"/);
    const { env } = deployed.elsewhere('standby');
    const standby = deployed.run(['--standby'], { env });
    await standby.says(/store is new/);

    const committed = new Set<string>();
    let aborted = 0;
    const write = async (number: number, mine: Dice, rounds: number): Promise<void> => {
      const config = {
        transactionalId: `${twhin.prefix}${number}`,
        idempotent: true,
        maxInFlightRequests: 1,
      };
      // The brokers abort a transaction that is open for longer, and a busy machine takes its time.
      await withProducer(brokers, { ...config, transactionTimeout: 600_000 }, async (producer) => {
        for (let round = 0; round < rounds; round++) {
          const names = await transaction(producer, `p${number}-${serial++}-`, mine);
          if (names.committed) for (const name of names.edges) committed.add(name);
          else aborted += names.edges.length;
        }
      });
    };
    /** One transaction, sent in parts with pauses, so that others' records come to lie between its own. */
    const transaction = async (producer: Producer, stem: string, mine: Dice) => {
      const open = await producer.transaction();
      const size = mine.below(6) === 0 ? LONG_TRANSACTION : mine.between(1, 120);
      const edges = Array.from({ length: size }, (_, n) => `${stem}${n}`);
      for (let at = 0; at < size; ) {
        const part = edges.slice(at, at + mine.between(5, 100));
        at += part.length;
        const messages = part.map((name) => ({
          key: name,
          value: JSON.stringify({
            followerId: name,
            followedId: `to-${name}`,
            action: 'follow',
            at: 1_700_000_000_000,
            pad: size === LONG_TRANSACTION ? PADDING : '',
          }),
          partition: mine.below(PARTITIONS),
        }));
        await open.send({ topic, messages });
        await sleep(mine.below(8));
      }
      const commits = mine.below(2) === 0;
      await (commits ? open.commit() : open.abort());
      return { committed: commits, edges };
    };
    let serial = 0;
    const writeAll = (rounds: number) =>
      Promise.all(Array.from({ length: PRODUCERS }, (_, n) => write(n, dice.fork(), rounds)));
    const rounds = form(12, 60, 4);

    await writeAll(rounds);
    // In the middle of what producers write the leader is killed; the standby takes over and reads on.
    const writing = writeAll(rounds);
    await until('half of the events', async () => (await deployed.consumed('follow')) > committed.size / 3);
    running.kill('SIGKILL');
    await writing;
    await standby.says(/"msg":"leads the graph"/);
    expect(aborted).toBeGreaterThan(1_000);
    const expected = [...committed]
      .map((name) => `user:${name} follows user:to-${name} 1700000000000`)
      .sort();
    const stood = twhin.elsewhere(env);
    const consumed = async () => (await readStore(stood, 'follow', true)).head?.events.consumed ?? 0;
    await until('every committed event', async () => (await consumed()) >= committed.size);
    await standby.stop();
    const edgesOf = async (of: typeof stood, name?: string) =>
      (await readStore(of, 'follow', false, name)).edges;
    expect(await edgesOf(stood)).toEqual(expected);

    // The killed leader's own store, read on from where it stood.
    await deployed.catchUp();
    expect(await edgesOf(twhin)).toEqual(expected);
    await twhin.ok(['replay', '--graph', 'follow', '--into', 'again']);
    expect(await edgesOf(twhin, 'again')).toEqual(expected);
  },
);
