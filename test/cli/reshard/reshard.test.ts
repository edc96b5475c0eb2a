import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { cp, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { total } from '../../../src/cli/format.ts';
import type { GraphConfig } from '../../../src/config/resolve.ts';
import { encodeHead, type Head } from '../../../src/graph/head.ts';
import { copyAccumulator, shardOf, trainingShard } from '../../../src/graph/shard.ts';
import { WriteBatch } from '../../../src/graph/write-batch.ts';
import { openForWriting, readHead } from '../../../src/state/open.ts';
import { json, refused, type Said, succeeded, text } from '../captured.ts';
import { type Content, contentOf, type ShardedPlace, shardedPlace, tell } from './sharded-place.ts';

const ROOT = join(import.meta.dirname, '..', '..', '..');

const DIGESTS = z.object({ edges: z.string().length(16), vectors: z.string().length(16) });
const DONE = z.object({
  to: z.number(),
  digests: z.object({ before: DIGESTS, after: DIGESTS }),
  added: z.record(z.string(), z.number()),
});

let here: ShardedPlace;
afterEach(() => here.remove());

const reshard = async (to: number, ...more: string[]): Promise<Said> =>
  here.run('reshard', '--graph', 'engagement', '--to', String(to), ...more);

/** Reshards and changes the configuration, and checks every store. Gives what the stores hold then. */
async function resharded(to: number): Promise<Content> {
  const said = await reshard(to, '--json');
  expect([said.code, said.err]).toEqual([0, []]);
  const { to: count, digests, added } = DONE.parse(json(said));
  expect([count, digests.after, added]).toEqual([to, digests.before, {}]);
  await here.configure(to);
  await succeeded(here.run('check', '--graph', 'engagement'), 'all is well');
  return contentOf(here.graphs());
}

/** Copies are at the shards that train edges with them, with their owners' vectors; edges are at both owners. */
function expectSpread(content: Content): void {
  const { edges, own, copies, edgesOf } = content;
  const count = copies.length;
  const wanted = copies.map(() => new Set<string>());
  const held = copies.map((): string[] => []);
  for (const [name, { removed }] of Object.entries(edges)) {
    const [lhs = '', , rhs = ''] = name.split(' ');
    const [lhsOwner, rhsOwner] = [shardOf(lhs, count), shardOf(rhs, count)];
    for (const owner of new Set([lhsOwner, rhsOwner]))
      held[owner]!.push(`${removed ? 'removed' : 'live'} ${name}`);
    if (removed) continue;
    const trainedBy = trainingShard(lhsOwner, rhsOwner, count);
    if (lhsOwner !== trainedBy) wanted[trainedBy]!.add(lhs);
    if (rhsOwner !== trainedBy) wanted[trainedBy]!.add(rhs);
  }
  expect(edgesOf.map((each) => [...each].sort())).toEqual(held.map((each) => each.sort()));
  copies.forEach((each, shard) => {
    expect(Object.keys(each).sort()).toEqual([...wanted[shard]!].sort());
    for (const [name, floats] of Object.entries(each)) {
      const vector = own[name]!.floats!.slice(0, -2);
      expect([name, floats]).toEqual([name, [...vector, copyAccumulator(shardOf(name, count)), 0]]);
    }
  });
  for (const relations of content.relations) expect(relations).toEqual(content.relations[0]);
  for (const erased of content.erased) expect(erased).toEqual(content.erased[0]);
}

describe('another number of shards', () => {
  test.each([
    [2, 4],
    [1, 3],
  ])('from %i to %i and back keeps every bit, and each store goes on', async (from, to) => {
    here = await shardedPlace(from);
    tell(here);
    await here.train();
    const first = await contentOf(here.graphs());
    expect(Object.values(first.edges).some(({ removed }) => removed)).toBe(true);
    expect(first.erased[0]).toHaveLength(2);
    expect(first.own).toMatchObject({ 'user:lonely': { updates: 1 }, 'user:u4': { updates: 1 } });
    expect(first.own).not.toHaveProperty('user:u3');

    const second = await resharded(to);
    expectSpread(second);
    expect([second.edges, second.own, second.erased[0]]).toEqual([first.edges, first.own, first.erased[0]]);
    if (from === 1) expect(second.relations[0]).toEqual(first.relations[0]);
    // The present stores are those of before, with the number of shards put back.
    await here.configure(from);
    expect(await contentOf(here.graphs())).toEqual(first);
    await here.configure(to);

    const third = await resharded(from);
    expectSpread(third);
    expect([third.edges, third.own]).toEqual([first.edges, first.own]);
    expect(third.relations[0]).toEqual(second.relations[0]);

    // Every new store loads, in both numbers, and learns on.
    for (const shards of [from, to]) {
      await here.configure(shards);
      if (shards === from) tell(here, 60, 2);
      await here.train();
      const learned = await contentOf(here.graphs());
      expect(learned.edges).not.toEqual(first.edges);
      expect(learned.own['user:u10']).not.toEqual(first.own['user:u10']);
      await succeeded(here.run('check', '--graph', 'engagement'), 'all is well');
    }
  });
});

describe('a reshard is refused', () => {
  test('where there is nothing to do, or a store is missing, in use, of something else, or there already', async () => {
    here = await shardedPlace(2);
    tell(here, 20);
    await here.train();
    const before = await contentOf(here.graphs());
    const [zero, one] = here.graphs();
    const refuses = (to: number, code: number, pattern: RegExp) => refused(reshard(to), code, pattern);
    await refuses(2, 2, /--to: expected another number than graphs.engagement.shards, which is 2/);

    const held = await openForWriting(one!);
    await refuses(4, 1, /\[store-in-use\] the store of engagement-1 .* stop that process first/);
    await held.close();

    const away = `${one!.folder}-away`;
    await rename(one!.folder, away);
    await refuses(4, 1, /\[store-missing\] .*engagement-1, .* twhin restore DIR --graph engagement-1/);
    await cp(zero!.folder, one!.folder, { recursive: true });
    await refuses(4, 1, /\[store-graph\] the store holds the graph engagement-0, not engagement-1/);
    await rm(one!.folder, { recursive: true });
    await rename(away, one!.folder);

    await changeHead(one!, (head) => ({ ...head, space: 'two' }));
    await refuses(4, 1, /\[reshard\] .* engagement-0 of one, engagement-1 of two/);
    await changeHead(one!, (head) => ({
      ...head,
      space: 'one',
      model: { ...head.model, scorer: 'transe-l1' },
    }));
    await refuses(4, 1, /\[store-model\] the store of engagement-1 is another model's .*\n {2}scorer/);
    await changeHead(one!, (head) => ({ ...head, model: one!.model, edges: { ...head.edges, likes: 1 } }));
    await refuses(
      4,
      1,
      /\[store-damaged\] the store of engagement-1 .* holds \d+ live edges \(likes\), and its head counts 1/,
    );
    await changeHead(one!, (head) => ({ ...head, edges: countOf(before.edgesOf[1]!) }));
    expect(await contentOf(here.graphs())).toEqual(before);
    expect(await readdir(`${here.folder}/state`)).toEqual(['engagement-0', 'engagement-1']);

    expect((await reshard(4)).code).toBe(0);
    await refuses(4, 1, /\[store-exists\] .*engagement-0\/stores\/shards-4, .*engagement-3/);
    expect(await contentOf(here.graphs())).toEqual(before);
  });
});

describe('a reshard that is killed', () => {
  test('leaves nothing that a start would take for a store, and can be given again', async () => {
    here = await shardedPlace(2);
    tell(here);
    await here.train();
    const before = await contentOf(here.graphs());
    const command = ['bin/twhin.js', 'reshard', '--graph', 'engagement', '--to', '4'];
    const env = { ...process.env, ...here.env };
    const child = spawn(process.execPath, command, { cwd: ROOT, env, stdio: 'ignore' });
    const ended = once(child, 'exit');
    const staging = [0, 1, 2, 3].map(
      (shard) => `${here.folder}/state/engagement-${shard}/restoring/shards-4`,
    );
    while (child.exitCode === null && !staging.every((folder) => existsSync(folder))) await sleep(1);
    child.kill('SIGKILL');
    expect(await ended).toEqual([null, 'SIGKILL']);

    expect(staging.every((folder) => existsSync(folder))).toBe(true);
    expect(await contentOf(here.graphs())).toEqual(before);
    await here.configure(4);
    for (const { folder } of here.graphs()) expect(existsSync(`${folder}/stores`)).toBe(false);
    await expect(here.train()).rejects.toMatchObject({ code: 'reshard' });
    await refused(here.run('stats'), 1, /\[reshard\] .*shards-4 is left/);

    await here.configure(2);
    const after = await resharded(4);
    expect([after.edges, after.own]).toEqual([before.edges, before.own]);
    for (const folder of staging) expect(existsSync(folder)).toBe(false);
  });
});

test('the stores of updaters that were killed are resharded as of their last commits', async () => {
  here = await shardedPlace(2);
  await succeeded(here.run('topics', 'apply'));
  await writeFile(join(here.folder, 'events.ndjson'), likes(0, 300));
  await succeeded(here.run('feed', join(here.folder, 'events.ndjson'), '--topic', 'engagement'));
  const command = ['bin/twhin.js', 'run', '--graph', 'engagement'];
  const env = { ...process.env, ...here.env, TWHIN_HTTP: 'off' };
  const child = spawn(process.execPath, command, { cwd: ROOT, env, stdio: 'ignore' });
  const ended = once(child, 'exit');
  const journals = () =>
    Promise.all(
      here.graphs().map(async (graph) => {
        const head = await readHead(graph).catch(() => undefined);
        return head === undefined ? [0, 0] : [head.commit - head.checkpoint, total(head.shard?.edges ?? {})];
      }),
    );
  // Each like is an edge of its own, at one of the two shards.
  const read = async () => (await journals()).reduce((sum, [, edges]) => sum + edges!, 0);
  while (child.exitCode === null && (await read()) < 253) await sleep(20);
  child.kill('SIGKILL');
  await ended;
  expect((await journals()).every(([commits]) => commits! > 0)).toBe(true);
  const before = await contentOf(here.graphs());

  const second = await resharded(3);
  expectSpread(second);
  await here.configure(2);
  const settled = await contentOf(here.graphs());
  expect([settled.edges, Object.keys(settled.own)]).toEqual([before.edges, Object.keys(before.own)]);
  expect([second.edges, second.own]).toEqual([settled.edges, settled.own]);
  for (const { floats } of Object.values(settled.own)) expect(floats).toHaveLength(10);
});

test('an erasure that the owner of the entity has not read is published by the new owner', async () => {
  here = await shardedPlace(2);
  const feed = async (topic: string, lines: string) => {
    await writeFile(join(here.folder, 'fed.ndjson'), lines);
    await succeeded(here.run('feed', join(here.folder, 'fed.ndjson'), '--topic', topic));
  };
  const run = () => succeeded(here.run('run', '--graph', 'engagement', '--until-caught-up'));
  await succeeded(here.run('topics', 'apply'));
  await feed('engagement', likes(0, 120));
  await run();
  const erased = ['u1', 'u2', 'u3', 'u4'].find((id) => shardOf(`user:${id}`, 2) === 1)!;
  const behind = join(here.folder, 'behind');
  await cp(here.graphs()[1]!.folder, behind, { recursive: true });
  await feed('erasure', JSON.stringify({ entity: `user:${erased}`, at: 10_000 }));
  await run();
  await rm(here.graphs()[1]!.folder, { recursive: true });
  await rename(behind, here.graphs()[1]!.folder);

  const { own } = await resharded(3);
  expect(own).not.toHaveProperty(`user:${erased}`);
  const waiting = async () =>
    Promise.all(here.graphs().map(async (graph) => (await readHead(graph))?.outbox));
  const owner = shardOf(`user:${erased}`, 3);
  expect(await waiting()).toEqual([0, 1, 2].map((shard) => (shard === owner ? 1 : 0)));
  const published = () => folderBytes(join(here.folder, 'log', 'twhin.embeddings.engagement'));
  const before = await published();
  for (const name of ['exchange', 'edges'])
    await rm(join(here.folder, 'log', `twhin.${name}.engagement`), { recursive: true });
  await succeeded(here.run('topics', 'apply'));
  await run();
  expect(await published()).toBeGreaterThan(before);
  expect(await waiting()).toEqual([0, 0, 0]);
  await succeeded(here.run('check', '--graph', 'engagement'), 'all is well');
});

/** So many likes of 23 users and 11 tweets. */
function likes(from: number, to: number): string {
  return Array.from({ length: to - from }, (_, i) =>
    JSON.stringify({
      userId: `u${((from + i) * 7) % 23}`,
      tweetId: `t${(from + i) % 11}`,
      action: 'like',
      at: 1 + from + i,
    }),
  ).join('\n');
}

test('the steps that are printed lead forward and back, and nothing is published again', async () => {
  here = await shardedPlace(2);
  const does = (...argv: string[]) => succeeded(here.run(...argv));
  const feed = async (from: number, to: number) => {
    await writeFile(join(here.folder, 'events.ndjson'), likes(from, to));
    await does('feed', join(here.folder, 'events.ndjson'), '--topic', 'engagement');
  };
  const between = ['exchange', 'edges'].map((name) => join(here.folder, 'log', `twhin.${name}.engagement`));
  const removeTopics = () => Promise.all(between.map((folder) => rm(folder, { recursive: true })));
  const run = ['run', '--graph', 'engagement', '--until-caught-up'];
  const published = async () => folderBytes(join(here.folder, 'log', 'twhin.embeddings.engagement'));
  await does('topics', 'apply');
  await feed(0, 120);
  await does(...run);
  const before = await contentOf(here.graphs());
  const sent = await published();
  const whole = async () =>
    z.object({ whole: z.unknown() }).parse(json(await does('stats', '--graph', 'engagement', '--json')))
      .whole;
  const sums = await whole();
  // Of 120 likes, one user and tweet each.
  expect(sums).toMatchObject({ engagement: { entities: { user: 23, tweet: 11 }, edges: { likes: 120 } } });

  const done = await does('reshard', '--graph', 'engagement', '--to', '3');
  const at = (line: RegExp) => done.out.findIndex((each) => line.test(each));
  const steps = [
    /1\. delete the topics twhin.exchange.engagement and twhin.edges.engagement/,
    /2\. set .*shards to 3/,
    /3\. twhin topics apply/,
    /4\. twhin run/,
  ];
  expect(steps.map(at)).toEqual([0, 1, 2, 3].map((i) => at(/^Next, in this order:/) + 1 + i));
  await removeTopics();
  await here.configure(3);
  await does('topics', 'apply');
  await does(...run);
  expect((await contentOf(here.graphs())).own).toEqual(before.own);
  expect(await published()).toBe(sent);
  expect(await whole()).toEqual(sums);
  await feed(120, 160);
  await does(...run);
  const after = await contentOf(here.graphs());
  expect(Object.keys(after.edges).length).toBeGreaterThan(Object.keys(before.edges).length);
  expect(await published()).toBeGreaterThan(sent);

  const rereads = ['--reread', 'twhin.exchange.engagement', '--reread', 'twhin.edges.engagement'];
  expect(done.out[at(/^To go back/) + 4]).toContain(rereads.join(' '));
  await removeTopics();
  await here.configure(2);
  await does('topics', 'apply');
  // A file log gives its topics no ids: only an offset that the new topic does not hold tells. Which topic is met first is a matter of timing.
  const read = { 'twhin.exchange.engagement': { '1': { offset: 10_000 } } };
  await changeHead(here.graphs()[1]!, (head) => ({ ...head, positions: { ...head.positions, ...read } }));
  expect(text(await here.run(...run))).toMatch(/--reread twhin\.(edges|exchange)\.engagement/);
  await does(...run, ...rereads);
  expect((await contentOf(here.graphs())).edges).toEqual(after.edges);
});

/** Bytes of all files in a folder. */
async function folderBytes(folder: string): Promise<number> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  const sizes = await Promise.all(
    files.map(async ({ parentPath, name }) => (await stat(join(parentPath, name))).size),
  );
  return sizes.reduce((sum, size) => sum + size, 0);
}

async function changeHead(graph: GraphConfig, change: (head: Head) => Head): Promise<void> {
  const store = await openForWriting(graph);
  const head = await store.head();
  if (head === undefined) throw new Error('no head');
  const batch = new WriteBatch();
  batch.put(store.layout.headKey(), encodeHead(change(head)));
  await store.entries.write(batch);
  await store.close();
}

/** Live edges by relation. */
function countOf(edges: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const [state, , relation = ''] of edges.map((each) => each.split(' ')))
    if (state === 'live') counts[relation] = (counts[relation] ?? 0) + 1;
  return counts;
}
