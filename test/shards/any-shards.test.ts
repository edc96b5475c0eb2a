import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { checkStore } from '../../src/graph/check/check.ts';
import { idOf, typeOf } from '../../src/graph/entity.ts';
import { copyAccumulator, shardOf, trainingShard } from '../../src/graph/shard.ts';
import { decodeParcel } from '../../src/shards/parcel.ts';
import type { Router } from '../../src/shards/routing/router.ts';
import { Life } from '../pipeline/life.ts';
import { positive, SequentialModel } from '../pipeline/sequential-model.ts';
import { type Sent, sent } from '../pipeline/told-events.ts';
import {
  DIM,
  EMBEDDINGS,
  expectRisingSteps,
  FOLLOW,
  follow,
  graphStore,
  liveEdges,
} from '../pipeline/updater-fixture.ts';
import { idsIn, usersOf } from './exchange-fixture.ts';
import { EXCHANGE, Shards } from './shards-fixture.ts';

/** More than a few seconds of it: TWHIN_PROPERTY_RUNS=5000; a failure again, which prints its seed: TWHIN_PROPERTY_SEED. */
const RUNS = Number(process.env['TWHIN_PROPERTY_RUNS'] ?? 25);
const SEED = process.env['TWHIN_PROPERTY_SEED'];
const LIMIT_MS = 120_000 + RUNS * 500;
const MOST_SHARDS = 5;

const round = fc.record({
  records: fc.array(fc.record({ event: sent, times: fc.constantFrom(1, 1, 2) }), {
    maxLength: 25,
    size: 'max',
  }),
  /** What the edges topic and the group of routers lose before it. */
  cut: fc.option(fc.nat(MOST_SHARDS - 1)),
  moved: fc.option(fc.record({ event: sent, to: fc.constantFrom('start', 'end') })),
  /** The moment at which the first router is killed, and whether the next one has begun before. */
  routerDies: fc.option(fc.nat(12), { freq: 2 }),
  overlap: fc.boolean(),
  /** By shard: the moment at which its process is killed, if it is. */
  deaths: fc.array(fc.option(fc.nat(50), { freq: 2 }), { minLength: MOST_SHARDS, maxLength: MOST_SHARDS }),
  /** Work between checkpoints: none, or no checkpoint but that of a regular stop. */
  recoverMs: fc.constantFrom(0, Number.POSITIVE_INFINITY),
});
const story = fc.record({
  count: fc.integer({ min: 1, max: MOST_SHARDS }),
  /** Whether entities are erased: topics are not routed in order, so that an entity without edges may or may not be left. */
  erases: fc.boolean(),
  rounds: fc.array(round, { minLength: 1, maxLength: 4, size: 'max' }),
});

type Story = typeof story extends fc.Arbitrary<infer T> ? T : never;

/** What is said of one edge is in one partition, so that it is read in the order said. */
function partitionOf({ told }: Sent): number {
  const first = told.kind === 'erase' ? told.entity : told.edges[0]![0];
  return 'abc'.indexOf(first.at(-1) ?? '');
}

/** Runs all shards side by side, round after round, and then twice without a death. */
async function lived({ count, erases, rounds }: Story) {
  const shards = new Shards(count);
  const model = new SequentialModel();
  /** By shard: the records that concern it. */
  const concerning = shards.stores.map(() => 0);
  const through = {
    ...{ records: [], cut: null, moved: null, deaths: [], routerDies: null, overlap: false },
    recoverMs: Number.POSITIVE_INFINITY,
  };
  // Asking for a vector and getting it takes a round each, where every shard ends once it has caught up.
  const settling = Array.from({ length: 5 }, () => through);
  for (const { records, cut, moved, deaths, routerDies, overlap, recoverMs } of [...rounds, ...settling]) {
    if (cut !== null) shards.log.cut(cut);
    if (moved !== null) shards.move(moved.event.topic, partitionOf(moved.event), moved.to);
    for (const { event, times } of records) {
      const { told } = event;
      if (told.kind === 'erase' && !erases) continue;
      for (let n = 0; n < times; n++) {
        shards.log.append(event.topic, event.value, { partition: partitionOf(event) });
        model.tell(told);
      }
      const ends = told.kind === 'erase' ? [] : told.edges.flatMap(([lhs, , rhs]) => [lhs, rhs]);
      for (const shard of concerning.keys())
        if (told.kind === 'erase' || ends.some((key) => shardOf(key, count) === shard))
          concerning[shard]! += times;
    }
    const routing = new Routing(shards, routerDies ?? undefined, overlap);
    const running = shards.stores.map(async (_, index) => {
      const at = deaths[index] ?? undefined;
      const life = new Life(at === undefined ? undefined : { how: 'dies', at });
      const run = shards.updater(index, life, recoverMs).run({ untilCaughtUp: true });
      await (at === undefined ? run : run.catch((error: Error) => expect(error.message).toBe('killed')));
    });
    await Promise.all(running);
    await routing.stop();
  }
  return { shards, model, concerning };
}

/** A router that may be killed, and another beside it or after it. */
class Routing {
  readonly #second: Router;
  readonly #ends: Promise<void>;
  readonly #first: Router | undefined;

  constructor(shards: Shards, dies: number | undefined, overlap: boolean) {
    this.#second = shards.router();
    this.#first = dies === undefined ? undefined : shards.router(new Life({ how: 'dies', at: dies }));
    const first = this.#first?.run().catch((error: Error) => expect(error.message).toBe('killed'));
    const before = overlap ? undefined : first;
    this.#ends = Promise.all([first, Promise.resolve(before).then(() => this.#second.run())]).then(() => {});
  }

  async stop(): Promise<void> {
    await Promise.all([this.#first?.stop(), this.#second.stop()]);
    await this.#ends;
  }
}

function sum(parts: readonly Record<string, number>[]): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const part of parts)
    for (const [name, count] of Object.entries(part)) sums[name] = (sums[name] ?? 0) + count;
  return positive(sums);
}

/** Every edge at the owners of its two ends, and nowhere else. */
async function expectEdges({ stores }: Shards, model: SequentialModel, erases: boolean): Promise<void> {
  const count = stores.length;
  for (const [index, store] of stores.entries()) {
    const own = model.live().filter((edge) => {
      const [lhs = '', , rhs = ''] = edge.split(' ');
      return shardOf(lhs, count) === index || shardOf(rhs, count) === index;
    });
    expect(await liveEdges(store)).toEqual(own);
    expect((await checkStore(graphStore(store))).findings).toEqual([]);
  }
  const heads = await Promise.all(stores.map((store) => graphStore(store).head()));
  expect(sum(heads.map((head) => head?.shard?.edges ?? {}))).toEqual(model.counts());
  if (erases) return;
  const types = [...model.entities].map((key) => ({ [key.slice(0, key.indexOf(':'))]: 1 }));
  expect(sum(heads.map((head) => head?.shard?.entities ?? {}))).toEqual(sum(types));
}

/** The topic has each entity's vector as its owner stores it, and copies are marked as such. Each copy with an edge has a vector. */
async function expectVectors(
  { log, stores }: Shards,
  model: SequentialModel,
  erases: boolean,
): Promise<number> {
  const linked = new Set(model.live().flatMap((edge) => edge.split(' ')));
  const owned = new Map<string, string>();
  let copies = 0;
  for (const [index, store] of stores.entries()) {
    const held = graphStore(store);
    const absent: string[] = [];
    for await (const { key, row } of held.entities()) {
      const [floats = new Float32Array(0)] = await held.readRows([row]);
      const owner = shardOf(key, stores.length);
      const own = owner === index;
      const accumulator = floats[DIM]!;
      expect([key, own, accumulator < 0 ? accumulator : undefined], typeOf(key)).toEqual([
        ...[key, own, own ? undefined : copyAccumulator(owner)],
      ]);
      if (own) owned.set(key, Buffer.from(new Float32Array(floats.subarray(0, DIM)).buffer).toString('hex'));
      else if (floats.subarray(0, DIM).some((number) => number !== 0)) copies++;
      else if (!erases || linked.has(key)) absent.push(key);
    }
    expect(absent).toEqual([]);
    expect((await held.head())?.outbox ?? 0).toBe(0);
  }
  const entities = erases ? [...model.entities].filter((key) => linked.has(key)) : [...model.entities];
  expect([...owned.keys()].filter((key) => !erases || linked.has(key)).sort()).toEqual(entities.sort());
  const published = [...log.folded(EMBEDDINGS)].map(([key, value]) => [key, value.toString('hex')]);
  expect(published.sort()).toEqual([...owned].sort());
  return copies;
}

describe('any events, over any number of shards, killed at any moment', () => {
  test(
    'end in the edges, counts and vectors of one whole graph',
    async () => {
      let [copies, journalled] = [0, 0];
      await fc.assert(
        fc.asyncProperty(story, async (told) => {
          const { shards, model, concerning } = await lived(told);
          const heads = await Promise.all(shards.stores.map((store) => graphStore(store).head()));
          expect(heads.map((head) => head?.events.consumed ?? 0)).toEqual(concerning);
          await expectEdges(shards, model, told.erases);
          copies += await expectVectors(shards, model, told.erases);
          expectRisingSteps(shards.log);
          journalled += shards.journalled;
        }),
        { numRuns: RUNS, ...(SEED !== undefined && { seed: Number(SEED) }) },
      );
      expect(copies).toBeGreaterThan(RUNS);
      expect(journalled).toBeGreaterThan(0);
    },
    LIMIT_MS,
  );
});

test('a shard asks for the vectors that its store lacks, wherever its process before was killed', async () => {
  const [own, otherOwn] = usersOf(0, 2, 2);
  const [foreign] = usersOf(1, 1, 2);
  let journalled = 0;
  for (let at = 0; at < 40; at++) {
    const shards = new Shards(2);
    const routing = new Routing(shards, undefined, false);
    for (const followed of [foreign!, otherOwn!])
      shards.log.append(FOLLOW, follow(idOf(own!), idOf(followed), 1_000));
    // The owner of the one that is followed does not run.
    const run = (life: Life) => shards.updater(0, life).run({ untilCaughtUp: true });
    await run(new Life({ how: 'dies', at })).catch((error: Error) => expect(error.message).toBe('killed'));
    shards.log.published.length = 0;
    shards.log.append(FOLLOW, follow(idOf(otherOwn!), idOf(own!), 2_000));
    await run(new Life());
    await routing.stop();
    const parcels = shards.log.published.filter(({ topic }) => topic === EXCHANGE);
    const wanted = parcels.flatMap(({ value }) => idsIn(decodeParcel(value, DIM).wanted));
    expect([at, new Set(wanted)]).toEqual([at, new Set([idOf(foreign!)])]);
    journalled += shards.journalled;
  }
  expect(journalled).toBeGreaterThan(0);
});

test('the gradients of every edge reach the other shard once, wherever their sender was killed', async () => {
  const [own, foreign] = [usersOf(0, 3, 2), usersOf(1, 3, 2)];
  const isOwn = trainingShard(0, 1, 2) === 0;
  const pairs = own.flatMap((a) => foreign.map((b) => (isOwn ? { lhs: a, rhs: b } : { lhs: b, rhs: a })));
  let journalled = 0;
  // One that was over before its moment to die is over before each later moment.
  const survived = new Set<number>();
  for (let at = 0; at < 120; at++) {
    const recoverMs = at % 2 === 0 ? 0 : Number.POSITIVE_INFINITY;
    if (survived.has(recoverMs)) continue;
    const shards = new Shards(2);
    const routing = new Routing(shards, undefined, false);
    const tell = (time: number) => {
      for (const { lhs, rhs } of pairs) shards.log.append(FOLLOW, follow(idOf(lhs), idOf(rhs), time));
    };
    const run = (index: number, life?: Life) =>
      shards.updater(index, life, recoverMs).run({ untilCaughtUp: true });
    tell(1_000);
    for (let round = 0; round < 3; round++) for (const index of [0, 1]) await run(index);
    const trained = async () => (await graphStore(shards.stores[0]!).head())!.shard!.trained;
    let reached = await trained();
    const all = reached + pairs.length;
    shards.log.published.length = 0;
    tell(2_000);
    await run(0, new Life({ how: 'dies', at })).then(
      () => survived.add(recoverMs),
      (error: Error) => expect(error.message).toBe('killed'),
    );
    await run(0);
    await routing.stop();
    const parcels = shards.log.published.filter(({ topic }) => topic === EXCHANGE);
    for (const { gradients, first, last } of parcels.map(({ value }) => decodeParcel(value, DIM))) {
      if (gradients.count === 0 || last <= reached) continue;
      expect([at, first]).toEqual([at, reached]);
      reached = last;
    }
    expect([at, reached, await trained()]).toEqual([at, all, all]);
    journalled += shards.journalled;
  }
  expect(journalled).toBeGreaterThan(0);
});
