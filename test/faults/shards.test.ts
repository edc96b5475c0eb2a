import { cp, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { expect } from 'vitest';
import { deleteRecords, endsOnceLed, withAdmin } from '../e2e/topic-ends.ts';
import { type Running, until } from '../e2e/twhin.ts';
import { withFailpoints } from './failpoints/plan.ts';
import { withProducer } from './load/direct.ts';
import { MIXED, ORDERLESS } from './load/load.ts';
import { form, furtherCase, seeded } from './seeded.ts';
import { endAll, type Sharded } from './sharded.ts';
import type { ParcelBytes } from './verifier/shards.ts';

const EVENTS = 1_500;

seeded(
  'shards killed in turn while entities are erased: their edges are those of the whole graph, each entity has one vector, and so has each copy',
  async ({ deployShards }) => {
    const load = { ...MIXED, erasures: 0.004 };
    const here = await deployShards(4, load);
    here.watch();
    const running = await killedInTurn(here, form(4, 40));
    await here.endWatch();
    let absent: unknown;
    await until('a vector of every copy', async () => {
      const copies = await Promise.all(
        // A file may be compacted away while it is opened.
        here.all.map((shard) => here.copies(shard).catch(() => ({ absent: ['unread'] }))),
      );
      absent = copies.map((each) => each.absent);
      return copies.every((each) => each.absent.length === 0);
    }).catch((error: unknown) => {
      throw new Error(`${String(error)}: ${JSON.stringify(absent)}`);
    });
    await endAll(running);
    expect(here.fallen).toEqual([]);
    await here.verify();

    const shards = await Promise.all(here.all.map((shard) => here.read(shard)));
    const whole = await here.whole();
    expect([...new Set(shards.flatMap(({ edges }) => edges))].sort()).toEqual(whole.edges);
    expect(summed(shards.map(({ head }) => head?.shard?.edges ?? {}))).toEqual(some(whole.head?.edges));
  },
);

furtherCase(
  'a shard that was away, and then goes on from an older store: the others train on, and take no gradient twice',
  async ({ deployShards }) => {
    const here = await deployShards(3, ORDERLESS);
    here.watch();
    const running = here.all.map((shard) => here.start(shard));
    await here.send(EVENTS);
    await here.caughtUp();

    const others = [0, 2];
    await endAll([running[1]!]);
    const folder = dirname(here.folder(1));
    const older = join(here.faulty.twhin.folder, 'older');
    await cp(folder, older, { recursive: true });
    const steps = () => Promise.all(others.map(async (shard) => (await here.head(shard))?.step ?? 0));
    const [stepsBefore, published, away] = [await steps(), await here.faulty.published(), await here.head(1)];
    await here.send(EVENTS);
    await here.caughtUp(others);
    expect((await steps()).every((step, i) => step > stepsBefore[i]!)).toBe(true);
    await until('vectors of the others', async () => (await here.faulty.published()) > published);
    expect(await here.head(1)).toEqual(away);
    const waiting = lastTo(1, await here.parcels());
    // Of three shards, each gets gradients from the one before.
    expect([...waiting.keys()]).toEqual([0]);
    running[1] = here.start(1);
    await here.caughtUp();
    await until('all that the others sent meanwhile', async () => {
      const received = (await here.head(1))?.shard?.received ?? {};
      return [...waiting].every(([from, last]) => (received[from]?.last ?? 0) >= last);
    });

    await endAll([running[1]!]);
    const newest = await here.head(1);
    await here.endWatch();
    await rm(folder, { recursive: true });
    await cp(older, folder, { recursive: true });
    here.watch(others);
    const parcelsBefore = (await here.parcels()).length;
    // Slow enough for every look at the heads to come before it is done with what it had trained before.
    const failpoint = {
      place: 'sink.publish',
      when: 'before',
      call: 1,
      repeats: true,
      act: { delayMs: 50 },
    } as const;
    running[1] = here.start(1, { env: withFailpoints(failpoint) });
    await here.send(EVENTS);
    await here.caughtUp();
    await endAll(running);
    await here.endWatch();
    expect(here.fallen).toEqual([]);
    const parcels = await here.parcels();
    expect(parcels.length).toBeGreaterThan(parcelsBefore);
    expect(repeatedBy(1, newest?.shard?.run, parcels)).toBeGreaterThan(0);
    await here.verify();

    const heads = await Promise.all(here.all.map(async (shard) => (await here.read(shard)).head?.shard));
    const whole = await here.whole();
    expect(summed(heads.map((head) => head?.edges ?? {}))).toEqual(some(whole.head?.edges));
    expect(summed(heads.map((head) => head?.entities ?? {}))).toEqual(some(whole.head?.entities));
  },
);

furtherCase(
  'a shard frozen past its session and woken beside its successor: it ends, and not one more parcel of it goes out',
  async ({ dice, deployShards }) => {
    const here = await deployShards(2, MIXED);
    here.watch();
    const freeze = {
      place: 'sink.publish',
      when: 'before',
      // By then it has sent parcels: vectors of its own alone are published before.
      call: dice.between(24, 40),
      act: 'freeze',
    } as const;
    const other = here.start(0);
    const frozen = here.start(1, { env: withFailpoints(freeze) });
    await frozen.says(/"msg":"leads the graph"/);
    const [second, successor] = ['second', 'successor'].map((name) => join(here.faulty.twhin.folder, name));
    const refused = await here.start(1, { state: second! }).ended;
    expect([refused.code, refused.stderr]).toEqual([1, expect.stringMatching(/engagement-1.*--standby/)]);

    const run = async (state?: string) => (await here.head(1, state))?.shard?.run;
    await until('a frozen shard', async () => {
      await here.send(200);
      return frozen.stderr.includes('failpoint: freeze');
    });
    const runBefore = await run();
    const standby = here.start(1, { state: successor!, args: ['--standby'] });
    await standby.says(/"msg":"leads the graph"/);
    here.states[1] = successor!;
    await here.send(EVENTS);
    await here.caughtUp();
    const runAfter = await run();
    await until('parcels of the successor', async () => {
      return (await here.parcels()).some((parcel) => parcel.run === runAfter);
    });
    frozen.kill('SIGCONT');
    const { code, stderr } = await frozen.ended;
    expect([code, stderr]).toEqual([1, expect.stringMatching(/another (process|has)|taken over|fenced/)]);

    await here.send(EVENTS);
    await here.caughtUp();
    await endAll([other, standby]);
    await here.endWatch();
    expect(here.fallen).toEqual([]);
    const runs = (await here.parcels()).filter(({ from }) => from === 1).map((parcel) => parcel.run);
    expect(new Set(runs)).toEqual(new Set([runBefore, runAfter]));
    expect(runs.lastIndexOf(runBefore!)).toBeLessThan(runs.indexOf(runAfter!));
    await here.verify();

    // As a standby it reads what came meanwhile before it leads, and publishes nothing of that yet.
    await here.send(EVENTS);
    const again = [here.start(0), here.start(1, { state: successor!, args: ['--standby'] })];
    await again[1]!.says(/"msg":"leads the graph"/);
    await here.caughtUp();
    await endAll(again);
    await here.verify();
  },
);

furtherCase(
  'a shard whose parcels are gone is refused, and goes on with those that are kept if asked; none reads an exchange made again',
  async ({ deployShards }) => {
    const here = await deployShards(2, MIXED);
    const exchange = here.faulty.twhin.topic('exchange.engagement');
    await here.send(EVENTS);
    // One after the other: the second finds parcels of the first, and has a place in its partition from then on.
    await here.catchUp([0]);
    await here.catchUp([1]);
    expect((await here.head(1))?.positions[exchange]?.[1]?.offset).toBeGreaterThan(0);
    await here.send(EVENTS);
    await here.catchUp([0]);
    await deleteRecords(here.faulty.brokers, exchange, 1);
    const advice = `--reread ${exchange}`;
    const refused = await here.start(1).ended;
    expect([refused.code, refused.stderr]).toEqual([
      1,
      expect.stringMatching(new RegExp(`retention took the records in between.*${advice}`)),
    ]);
    await here.catchUp([1], advice.split(' '));
    await here.verify();

    // Another topic by the same name, which holds more records than a shard has read of the one before.
    const before = await here.head(0);
    await withAdmin(here.faulty.brokers, (admin) => admin.deleteTopics({ topics: [exchange] }));
    await until('the exchange made again', async () => {
      await here.faulty.twhin.ok(['topics', 'apply']);
      return (await endsOnceLed(here.faulty.brokers, exchange))?.get(0) === 0;
    });
    const foreign = Array.from({ length: (before?.positions[exchange]?.[0]?.offset ?? 0) + 1 }, () => ({
      partition: 0,
      value: '',
    }));
    // A topic this young may have no leader yet; what was sent twice does no harm.
    await until('records in it', () =>
      withProducer(here.faulty.brokers, {}, (producer) =>
        producer.send({ topic: exchange, messages: foreign }),
      ).then(
        () => true,
        () => false,
      ),
    );
    const remade = await here.start(0, { args: ['--until-caught-up'] }).ended;
    expect([remade.code, remade.stderr]).toEqual([
      1,
      expect.stringContaining(`${exchange} was deleted and recreated`),
    ]);
    expect(await here.head(0)).toEqual(before);
  },
);

/** Starts all shards, kills each in turn while it reads and starts it again, and waits until all have read everything. */
async function killedInTurn(here: Sharded, kills: number): Promise<readonly Running[]> {
  await here.send(EVENTS);
  const running = here.all.map((shard) => here.start(shard));
  for (let kill = 0; kill < kills; kill++) {
    const shard = kill % here.shards;
    const before = await here.consumed(shard);
    const sending = here.send(EVENTS, { spread: kill > 0 });
    await until(`shard ${shard} reading`, async () => (await here.consumed(shard)) > before);
    running[shard]!.kill('SIGKILL');
    expect((await running[shard]!.ended).signal).toBe('SIGKILL');
    running[shard] = here.start(shard);
    await sending;
  }
  await here.caughtUp();
  return running;
}

/** By sender: the end of the newest range with gradients that it sent to a shard. */
function lastTo(shard: number, parcels: readonly ParcelBytes[]): Map<number, number> {
  const gradients = parcels.filter(({ to, gradients }) => to === shard && gradients > 0);
  return new Map(gradients.map(({ from, last }) => [from, last]));
}

/** Parcels with gradients of edges that the sender had sent gradients of before, in the same run. */
function repeatedBy(shard: number, run: string | undefined, parcels: readonly ParcelBytes[]): number {
  const ends = new Map<number, number>();
  const repeated = parcels.filter((parcel) => {
    if (parcel.from !== shard || parcel.run !== run || parcel.gradients === 0) return false;
    const end = ends.get(parcel.to) ?? 0;
    ends.set(parcel.to, Math.max(end, parcel.last));
    return parcel.last < end;
  });
  return repeated.length;
}

/** Counts that are not 0. */
function some(counts: Readonly<Record<string, number>> = {}): Record<string, number> {
  return Object.fromEntries(Object.entries(counts).filter(([, count]) => count > 0));
}

/** The sum of counts by name; names with none are left out. */
function summed(all: readonly Readonly<Record<string, number>>[]): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const counts of all)
    for (const [name, count] of Object.entries(counts)) sums[name] = (sums[name] ?? 0) + count;
  return some(sums);
}
