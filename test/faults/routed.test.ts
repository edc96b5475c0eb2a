import { join } from 'node:path';
import { afterEach, expect } from 'vitest';
import { growTopic } from '../e2e/topic-ends.ts';
import { type Running, until } from '../e2e/twhin.ts';
import type { Dice } from './dice.ts';
import { withFailpoints } from './failpoints/plan.ts';
import { MIXED } from './load/load.ts';
import { transactions } from './load/transactions.ts';
import { form, seeded } from './seeded.ts';
import { endAll, type Sharded, untilOf, wellEnded } from './sharded.ts';

let writing: { readonly stopping: AbortController; readonly ended: Promise<void> } | undefined;

afterEach(endTransactions);

const EVENTS = 600;
const SHARDS = 3;
const PRODUCERS = 3;
const LOAD = { ...MIXED, erasures: 0.004 };

seeded(
  'shards killed in turn, a router frozen and woken beside its successor, partitions added: each shard has what concerns it, once',
  async ({ dice, deployShards }) => {
    const here = await deployShards(SHARDS, LOAD);
    here.watch();
    beginTransactions(here, dice.fork());
    const shards = here.all.map((shard) => here.start(shard));
    const freeze = {
      place: 'sink.route',
      when: 'before',
      call: dice.between(5, 15),
      act: 'freeze',
    } as const;
    // A standby routes its share, too, and publishes nothing else. It would lead, were it the first in the group.
    await shards[0]!.says(/"msg":"leads the graph"/);
    const state = join(here.faulty.twhin.folder, 'standby');
    const frozen = here.start(0, { state, args: ['--standby'], env: withFailpoints(freeze) });
    await untilOf(shards, 'a frozen router', async () => {
      await here.send(200);
      return frozen.stderr.includes('failpoint: freeze');
    });
    // The session of the frozen one ends, and the others get what it had.
    await untilOf(shards, 'its share with the others', () => {
      const given = shards.map(givenTo);
      const all = new Set(given.flat(2));
      return given.flatMap((each) => each.at(-1) ?? []).length === all.size;
    });
    await here.send(EVENTS);
    await progressed(here, shards);
    const before = repeated(await here.routed());
    frozen.kill('SIGCONT');
    // What it was about to send was sent by the others meanwhile.
    await until('records of the woken one', async () => repeated(await here.routed()) > before);
    await until('the woken one in the group again', () => givenTo(frozen).length > 1);
    frozen.kill('SIGTERM');
    await wellEnded([frozen]);

    for (let kill = 0; kill < form(SHARDS + 2, 40); kill++) {
      const turn = kill % SHARDS;
      const sending = here.send(EVENTS, { spread: kill > 0 });
      await progressed(here, shards);
      shards[turn]!.kill('SIGKILL');
      expect((await shards[turn]!.ended).signal).toBe('SIGKILL');
      shards[turn] = here.start(turn);
      if (kill === 1) await addPartitions(here, 'engagement', 6);
      await sending;
    }
    await here.send(EVENTS);
    await endTransactions();
    await here.caughtUp();
    await endAll(shards);
    await here.endWatch();
    expect(here.fallen).toEqual([]);
    const truth = await here.verify();
    expect(truth.rejected[0]).toBeGreaterThan(0);
    expect([...truth.entities.sure].some((name) => name.startsWith('user:lasting'))).toBe(true);
    const routed = await here.routed();
    expect(routed.some(({ topic, partition }) => topic.endsWith('.engagement') && partition === 5)).toBe(
      true,
    );
  },
);

function beginTransactions(here: Sharded, dice: Dice): void {
  const { brokers, twhin } = here.faulty;
  const stopping = new AbortController();
  const ended = transactions(brokers, twhin.prefix, dice, {
    producers: PRODUCERS,
    stopped: stopping.signal,
  });
  ended.catch(() => undefined);
  writing = { stopping, ended };
}

/** @throws what a producer of transactions failed of. */
async function endTransactions(): Promise<void> {
  const ending = writing;
  writing = undefined;
  ending?.stopping.abort();
  await ending?.ended;
}

/** Waits until each shard has counted more than it has now. */
async function progressed(here: Sharded, shards: readonly Running[]): Promise<void> {
  const consumed = () => Promise.all(here.all.map((shard) => here.consumed(shard)));
  const before = await consumed();
  await untilOf(shards, 'events at every shard', async () => {
    await here.send(60);
    return (await consumed()).every((each, shard) => each > before[shard]!);
  });
}

/** The partitions that the group gave a process, each time it did. */
function givenTo({ stderr }: Running): string[][] {
  const lines = stderr.matchAll(/gave this process \d+ partitions: ([^"]*)"/g);
  return [...lines].map(([, names = '']) => names.split(', ').filter((name) => name !== ''));
}

/** Stretches that end where, or before, one of the same event partition and shard ended before. */
function repeated(routed: Awaited<ReturnType<Sharded['routed']>>): number {
  const ends = new Map<string, number>();
  return routed.filter(({ shard, topic, partition, until, changes }) => {
    const place = `${shard} ${topic}/${partition}`;
    const end = ends.get(place) ?? 0;
    ends.set(place, Math.max(end, until));
    return changes.length > 0 && until <= end;
  }).length;
}

async function addPartitions({ faulty: { brokers, twhin } }: Sharded, topic: string, count: number) {
  await growTopic(brokers, twhin.topic(topic), count);
}
