import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { loadConfig } from '../../../src/config/load.ts';
import type { GraphConfig } from '../../../src/config/resolve.ts';
import type { Head } from '../../../src/graph/head.ts';
import { graphOf } from '../../../src/graph/shard.ts';
import { openForReading, openForWriting } from '../../../src/state/open.ts';
import { livePlace, makeLive, placeOf, readLive } from '../../../src/state/places.ts';
import { json, own, type Place, place, succeeded, text } from '../captured.ts';

const AT = 1_704_067_200_000;
const GRAPH = ['--graph', 'engagement'];
const INTO = ['replay', ...GRAPH, '--into', 'shadow'];
const PROMOTE = ['promote', 'shadow', ...GRAPH];
const CATCH_UP = ['run', ...GRAPH, '--until-caught-up'];
const EXCHANGE = 'twhin.exchange.engagement';
const EDGES = 'twhin.edges.engagement';

const RESULT = z.object({
  space: z.string(),
  events: z.number(),
  entities: z.record(z.string(), z.number()),
  edges: z.record(z.string(), z.number()),
  digest: z.object({ edges: z.string(), vectors: z.string() }),
  stores: z.array(z.object({ graph: z.string(), digest: z.object({ edges: z.string() }) })),
});
const STATS = z.object({
  graphs: z.record(z.string(), z.object({ store: z.string(), digest: z.object({ edges: z.string() }) })),
  whole: z.object({
    engagement: z.object({
      entities: z.record(z.string(), z.number()),
      edges: z.record(z.string(), z.number()),
    }),
  }),
});

let made: Place;
/** What the replay of the place said. */
let result: z.infer<typeof RESULT>;
let here: Place;
const ok = (...argv: string[]) => succeeded(here.run(...argv));
const refused = async (...argv: string[]) => {
  const said = await here.run(...argv);
  expect([argv, said.code]).toEqual([argv, expect.toBeOneOf([1, 2])]);
  return text(said);
};
const stats = async () => STATS.parse(json(await ok('stats', ...GRAPH, '--digest', '--json')));
const replayed = async () => RESULT.parse(json(await ok(...INTO, '--json')));

async function feed(topic: string, events: readonly object[]): Promise<void> {
  const file = join(here.folder, 'events.ndjson');
  await writeFile(file, events.map((event) => `${JSON.stringify(event)}\n`).join(''));
  await ok('feed', file, '--topic', topic);
}

/** Likes of 40 users, some taken back. */
function events(from: number, count: number): object[] {
  return Array.from({ length: count }, (_, n) => {
    const i = from + n;
    const action = i % 23 === 22 ? 'unlike' : i % 9 ? 'like' : 'retweet';
    return { userId: `u${(i * 7) % 40}`, tweetId: `t${(i * i) % 17}`, action, at: AT + i };
  });
}

async function shards(): Promise<readonly GraphConfig[]> {
  const env = { TWHIN_STATE: join(here.folder, 'state'), TWHIN_CONFIG: join(here.folder, 'twhin.config.ts') };
  const { graphs } = await loadConfig(env, here.folder);
  return graphs.filter((graph) => graphOf(graph) === 'engagement');
}

/** Of each shard's store of that name, or its live one. */
async function heads(name?: string): Promise<Head[]> {
  const found: Head[] = [];
  for (const graph of await shards()) {
    const store = await openForReading(graph, name === undefined ? livePlace(graph) : placeOf(graph, name));
    const head = await store?.head();
    await store?.close();
    if (head === undefined) throw new Error(`no store of ${graph.name}`);
    found.push(head);
  }
  return found;
}

const nonzero = (counts: Readonly<Record<string, number>>) =>
  Object.fromEntries(Object.entries(counts).filter(([, count]) => count > 0));
const omit = (positions: Head['positions'], topic: string) =>
  Object.fromEntries(Object.entries(positions).filter(([name]) => name !== topic));
const lives = async () => (await shards()).map((graph) => readLive(graph).live);
const fileOf = (shard: number, ...path: string[]) =>
  join(here.folder, 'state', `engagement-${shard}`, ...path);
const recordOf = (shard: number) => fileOf(shard, 'stores/shadow/origin.json');
const originOf = (shard: number) => JSON.parse(readFileSync(recordOf(shard), 'utf8'));
/** Puts something else into the record of a shard's replay. */
function changeRecord(shard: number, change: object): void {
  const origin = originOf(shard);
  writeFileSync(recordOf(shard), JSON.stringify({ ...origin, replay: { ...origin.replay, ...change } }));
}

/** Gives the replayed store of a shard another space. */
async function rename(shard: number, space: string): Promise<void> {
  const graph = (await shards())[shard]!;
  const store = await openForWriting(graph, { place: placeOf(graph, 'shadow') });
  await store.commit({ head: { ...(await store.head())!, space } });
  await store.close();
}

/** A graph of three shards that were run, and a replay of it. */
beforeAll(async () => {
  made = await place();
  here = made;
  const content = {
    model: { dim: 8 },
    limits: { maxEntities: 10_000 },
    training: { batchEdges: 32 },
    graphs: { engagement: { shards: 3 } },
  };
  await writeFile(join(here.folder, 'twhin.config.ts'), `export default ${JSON.stringify(content)};\n`);
  await ok('topics', 'apply');
  await feed('engagement', events(0, 400));
  await feed('erasure', [{ entity: 'user:u7', at: AT + 1_000 }]);
  await ok(...CATCH_UP);
  result = await replayed();
});
afterAll(() => made.remove());
beforeEach(async () => {
  here = await own(place());
  await cp(made.folder, here.folder, { recursive: true });
});

test('a shard that is restored from the topic does not read again what others sent before its last vector', async () => {
  rmSync(fileOf(1), { recursive: true });
  await ok('restore', '--from-topic', '--graph', 'engagement-1');
  const [, restored] = await heads();
  expect(restored!.positions).toEqual({ [EXCHANGE]: { 1: { offset: expect.any(Number) } } });
});

describe('twhin replay of a graph with shards', () => {
  test('ends in the edges and counts of the live shards, in one space of its own, ready to go on', async () => {
    const live = await stats();
    expect(result.events).toBe(401);
    expect(nonzero(result.entities)).toEqual(nonzero(live.whole.engagement.entities));
    expect(nonzero(result.edges)).toEqual(nonzero(live.whole.engagement.edges));
    for (const { graph, digest } of result.stores)
      expect([graph, digest.edges]).toEqual([graph, live.graphs[graph]?.digest.edges]);

    const now = await heads();
    const made = await heads('shadow');
    const ends = now.map(({ positions }) => positions[EXCHANGE]);
    made.forEach((head, index) => {
      expect(head).toMatchObject({ graph: `engagement-${index}`, space: result.space });
      expect(head.shard).toMatchObject({ index, count: 3, run: result.space });
      // Nothing that the live shards sent each other is to be read, and nothing of the meeting in the process is left.
      expect(head.positions).toMatchObject(omit(omit(now[index]!.positions, EXCHANGE), EDGES));
      expect(Object.keys(head.positions)).not.toContain('exchange.engagement');
      expect(head.positions[EXCHANGE]![index]!.offset).toBeGreaterThanOrEqual(
        ends[index]?.[index]?.offset ?? 0,
      );
      for (const [from, { run, last }] of Object.entries(head.shard!.received))
        expect([run, last <= made[Number(from)]!.shard!.trained]).toEqual([result.space, true]);
    });
    expect(result.space).not.toBe(now[0]!.space);

    expect((await ok('check', ...GRAPH)).code).toBe(0);
  });

  test('is done once; a store of a replay that was killed starts from scratch', async () => {
    const first = result;
    expect(text(await ok(...INTO))).toMatch(/shadow was finished at .*; nothing was read again/s);
    // Killed while the finished stores were marked.
    changeRecord(1, { finished: null });
    changeRecord(2, { finished: null });
    expect(await replayed()).toMatchObject({ space: first.space, digest: first.digest });
    expect(originOf(2).replay.finished).toEqual(expect.any(String));

    // Killed before, with one store gone altogether.
    for (const shard of [0, 1, 2]) changeRecord(shard, { finished: null });
    expect(await refused(...PROMOTE)).toContain('is not finished');
    rmSync(fileOf(1, 'stores/shadow'), { recursive: true });
    const again = await replayed();
    expect(again.space).not.toBe(first.space);
    expect(again.digest.edges).toBe(first.digest.edges);
    expect(new Set((await heads('shadow')).map(({ space }) => space))).toEqual(new Set([again.space]));
  });

  test('refuses what it cannot do, and what is not of one replay', async () => {
    expect(await refused(...INTO, '--publish', 'elsewhere')).toContain(
      '--publish: a replay of a graph with shards',
    );
    expect(await lives()).toEqual(['main', 'main', 'main']);
    expect(await refused(...INTO, '--set', 'learningRate=0.03')).toContain('was asked something else');
    changeRecord(2, { space: 'another' });
    expect(await refused(...INTO)).toMatch(
      /finished replay of other shards, and engagement-2 has another one/,
    );
    await ok(...INTO, '--restart');
  });
});

describe('twhin promote of a graph with shards', () => {
  test('makes all stores live; they go on in one space with what comes, and go back', async () => {
    await feed('engagement', events(400, 200));
    // The shards of before leave parcels in the exchange topic that no promoted shard may use.
    await ok(...CATCH_UP);
    const before = await stats();
    const said = await ok(...PROMOTE);
    expect(
      said.out.filter((line) => line.startsWith('shadow is the live store of engagement-')),
    ).toHaveLength(3);
    expect(await lives()).toEqual(['shadow', 'shadow', 'shadow']);

    await ok(...CATCH_UP);
    const after = await stats();
    expect(after.whole).toEqual(before.whole);
    for (const [graph, { digest }] of Object.entries(after.graphs))
      expect([graph, digest.edges]).toEqual([graph, before.graphs[graph]?.digest.edges]);
    for (const { space, shard } of await heads()) {
      expect(space).toBe(result.space);
      // Parcels of the other space are passed over.
      for (const { run } of Object.values(shard!.received)) expect(run).toBe(result.space);
    }
    await feed('engagement', events(600, 50));
    await ok(...CATCH_UP);

    await ok('promote', '--rollback', ...GRAPH);
    expect(await lives()).toEqual(['main', 'main', 'main']);
    await ok(...CATCH_UP);
    for (const { space, shard } of await heads()) {
      expect(space).not.toBe(result.space);
      for (const { run } of Object.values(shard!.received)) expect(run).not.toBe(result.space);
    }
  });

  test('finishes what a kill left half done, of a promotion and of a rollback', async () => {
    const [first, second] = await shards();
    const rollback = ['promote', '--rollback', ...GRAPH];
    // Killed after the first of three.
    await makeLive(first!, 'shadow', []);
    expect(await lives()).toEqual(['shadow', 'main', 'main']);
    expect(await refused(...rollback)).toMatch(
      /ran on main before.*Name the store that all shards are to run on/s,
    );
    await feed('engagement', events(400, 50));
    await ok(...CATCH_UP);
    await ok(...PROMOTE);
    expect(await lives()).toEqual(['shadow', 'shadow', 'shadow']);
    await feed('engagement', events(450, 50));
    await ok(...CATCH_UP);
    const { whole, graphs } = await stats();
    expect((await heads()).map(({ space }) => space)).toEqual(Array(3).fill(result.space));
    for (const each of [first!, second!]) await makeLive(each, 'main', []);
    expect(await refused(...rollback)).toContain('Name the store that all shards are to run on');
    await ok('promote', 'main', ...GRAPH);
    expect(await lives()).toEqual(['main', 'main', 'main']);
    await ok(...CATCH_UP);
    // Both stores hold every edge once.
    const back = await stats();
    expect(back.whole).toEqual(whole);
    for (const [graph, { digest }] of Object.entries(back.graphs))
      expect([graph, digest.edges]).toEqual([graph, graphs[graph]?.digest.edges]);
  });

  test('starts a shard whose store is lost from scratch, in the space of the others', async () => {
    await ok(...PROMOTE);
    await feed('engagement', events(400, 100));
    await ok(...CATCH_UP);
    await rm(fileOf(2), { recursive: true });
    await ok(...CATCH_UP);
    expect(await lives()).toEqual(['shadow', 'shadow', 'main']);
    expect((await heads()).map(({ space }) => space)).toEqual(Array(3).fill(result.space));
    expect(await refused('promote', '--rollback', ...GRAPH)).toMatch(
      /engagement-0 runs on shadow and ran on main before, engagement-2 runs on main and ran on none before/,
    );
  });

  test('goes back in all shards where the live store of one is gone', async () => {
    await ok(...PROMOTE);
    await rm(fileOf(2, 'stores/shadow'), { recursive: true });
    expect(await refused(...CATCH_UP)).toContain('[store-missing]');
    await ok('promote', '--rollback', ...GRAPH);
    expect(await lives()).toEqual(['main', 'main', 'main']);
    await ok(...CATCH_UP);
  });

  test('goes to stores of another model and back, past parcels of the model before', async () => {
    await ok(...INTO, '--restart', '--set', 'dim=4');
    await feed('engagement', events(400, 100));
    await ok(...CATCH_UP);
    for (const [dim, argv] of [
      [4, PROMOTE],
      [8, ['promote', '--rollback', ...GRAPH]],
    ] as const) {
      await ok(...argv);
      await feed('engagement', events(dim * 200, 50));
      await ok(...CATCH_UP);
      expect((await heads()).map(({ model }) => model.dim)).toEqual([dim, dim, dim]);
    }
  });

  test('refuses stores that are not of one replay, and says what to do for shards elsewhere', async () => {
    await rm(fileOf(2, 'stores/shadow'), { recursive: true });
    expect(await refused(...PROMOTE)).toMatch(/engagement-2 has a live store here and no store shadow/);
    expect(await lives()).toEqual(['main', 'main', 'main']);
    await ok(...INTO, '--restart');
    await rename(1, 'another');
    expect(await refused(...PROMOTE)).toMatch(
      /stores shadow of engagement-0 and engagement-1 are of different trainings/,
    );
    await ok(...INTO, '--restart');
    // Shard 2 runs on another machine: only its replayed store is here.
    await rm(fileOf(2, 'db'), { recursive: true });
    const { out } = await ok(...PROMOTE);
    expect(out.join('\n')).toMatch(
      /engagement-2 has no live store here.*Move .*engagement-2\/stores\/shadow to engagement-2\/stores\/shadow in the state folder where it runs/,
    );
    expect(await lives()).toEqual(['shadow', 'shadow', 'main']);
  });
});

test('twhin compare compares the stores of one shard', async () => {
  await feed('engagement', events(400, 40));
  expect(json(await ok('compare', 'live', 'shadow', '--graph', 'engagement-0', '--json'))).toMatchObject({
    graph: 'engagement-0',
    a: { name: 'main', live: true },
    b: { name: 'shadow', live: false, space: result.space },
    held: { records: 40 },
  });
  expect(await refused('compare', 'live', 'shadow', ...GRAPH)).toMatch(
    /engagement-0 and engagement-1 and engagement-2 have the stores live and shadow; say which graph with --graph/,
  );
});
