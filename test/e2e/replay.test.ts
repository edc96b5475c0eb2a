import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { COMMAND } from '../faults/deployment.ts';
import { withFailpoints } from '../faults/failpoints/plan.ts';
import { higgsEvents, higgsLines } from '../fixtures/higgs.ts';
import { readStore, unlike } from './stored.ts';
import { settledEnds, withAdmin } from './topic-ends.ts';
import { fold, readTopic } from './topic-reader.ts';
import { type Running, Twhin, until } from './twhin.ts';

const GRAPH = 'engagement';
const EVENTS = 3_000;
/**
 * Live batches and commits are cut by their age, at once: a replay cut like that would depend on its pace. Of so few rows it
 * writes eight times as large ones as are asked for: a dozen.
 */
const CONFIG = `
  model: { dim: 16 },
  training: { batchEdges: 128, lingerMs: 2 },
  commit: { everyEdges: 32, everyMs: 2 },
  limits: { maxEntities: 100_000, maxKnownEdges: 1_000_000 },`;

interface Replayed {
  readonly events: number;
  readonly stores: readonly { readonly step: number }[];
  readonly digest: { readonly edges: string; readonly vectors: string };
}

/** A live updater, caught up and running on, beside which all replays here are made. */
let twhin: Twhin;
let live: Running;
beforeAll(async () => {
  twhin = await Twhin.create(inject('brokers'), CONFIG);
  const file = join(twhin.folder, 'events.txt');
  await writeFile(file, higgsEvents(higgsLines(EVENTS, 5)));
  await twhin.ok(['topics', 'apply']);
  await twhin.ok(['feed', file, '--topic', 'engagement']);
  live = twhin.start(['run', '--graph', GRAPH]);
  await until('all is consumed and published', async () => {
    if (live.over) throw new Error(live.stderr);
    const { head } = await readStore(twhin, GRAPH, true);
    return head?.events.consumed === EVENTS && head.outbox === 0;
  });
});
afterAll(() => twhin?.remove());

const REPLAY = ['replay', '--graph', GRAPH, '--into'];

async function replayed(name: string, ...more: string[]): Promise<Replayed> {
  const out = await twhin.ok([...REPLAY, name, '--json', ...more]);
  return JSON.parse(out.trimEnd().split('\n').at(-1) ?? '');
}

let first: Replayed | undefined;
/** The range replayed whole, once for all tests. */
async function whole(): Promise<Replayed> {
  first ??= await replayed('whole');
  return first;
}

async function consumed(name: string): Promise<number> {
  const { head } = await readStore(twhin, GRAPH, true, name);
  return head?.events.consumed ?? 0;
}

test('twice gives the same digest, its edges those of the live store, which runs on untouched', async () => {
  const topic = twhin.topic(`embeddings.${GRAPH}`);
  const one = await whole();
  const before = await settledEnds(inject('brokers'), [topic]);
  const two = await replayed('two');
  expect(one.events).toBe(EVENTS);
  expect(two.digest).toEqual(one.digest);
  expect(two.stores[0]?.step).toBe(one.stores[0]?.step);
  const stats = JSON.stringify(await twhin.json(['stats', '--graph', GRAPH, '--digest']));
  expect(JSON.parse(stats).graphs[GRAPH].digest.edges).toBe(one.digest.edges);
  expect(live.over).toBe(false);
  expect(await settledEnds(inject('brokers'), [topic])).toEqual(before);
  // It joined no group and left none.
  const { groups } = await withAdmin(inject('brokers'), (admin) => admin.listGroups());
  const ours = groups.map(({ groupId }) => groupId).filter((id) => id.includes(twhin.prefix));
  expect(ours).toEqual([`${twhin.prefix}${GRAPH}`]);
});

test('killed and interrupted in the middle, the same command goes on and ends in the same digest', async () => {
  const args = [...REPLAY, 'killed', '--json'];
  const stopped = (act: 'kill' | 'freeze') => {
    const failpoint = { place: 'store.write', when: 'after', call: 4, act } as const;
    return twhin.start(args, { command: COMMAND, env: withFailpoints(failpoint) });
  };
  const killed = stopped('kill');
  expect((await killed.ended).signal).toBe('SIGKILL');
  const left = await consumed('killed');
  expect([left > 0, left < EVENTS]).toEqual([true, true]);

  const interrupted = stopped('freeze');
  await interrupted.freezes();
  interrupted.kill('SIGINT');
  interrupted.kill('SIGCONT');
  const { code, stdout, stderr } = await interrupted.ended;
  expect([code, stdout]).toEqual([1, '']);
  expect(stderr).toMatch(/interrupted; the same command goes on from the last commit/);
  expect(stderr).toMatch(/going on with the replay/);
  const more = await consumed('killed');
  expect([more > left, more < EVENTS]).toEqual([true, true]);

  const rest = JSON.parse(await twhin.ok(args));
  const { digest, stores, events } = await whole();
  expect(rest).toMatchObject({ digest, events, stores: [{ step: stores[0]?.step }] });
});

test('other settings make another model of the same edges; --publish publishes it, to that topic alone', async () => {
  const shadow = twhin.topic('shadow');
  const other = await replayed('other', '--set', 'dim=24', '--set', 'learningRate=0.05', '--publish', shadow);
  const { digest } = await whole();
  expect(other.digest.edges).toBe(digest.edges);
  expect(other.digest.vectors).not.toBe(digest.vectors);
  const { head, vectors, relations } = await readStore(twhin, GRAPH, false, 'other');
  expect(head?.model.dim).toBe(24);
  expect(head?.outbox).toBe(0);
  const records = await readTopic(inject('brokers'), shadow);
  expect(unlike(vectors, fold(records))).toEqual([]);
  // The relation vectors beside them, of the same run, committed in its transactions.
  const model = fold(await readTopic(inject('brokers'), `${shadow}.model`));
  expect(unlike(relations, model)).toEqual([]);
  for (const { headers } of model.values())
    expect([headers['space'], headers['epoch']]).toEqual([head?.space, records[0]?.headers['epoch']]);
  expect(model.get('relation:retweets')?.headers).toMatchObject({
    trained: 'true',
    lhs: 'user',
    rhs: 'tweet',
  });
  expect(model.get('relation:searches')?.headers['trained']).toBe('false');
});

test('of two at once into one topic, one publishes and the other ends', async () => {
  const shadow = twhin.topic('contested');
  const args = (name: string) => [...REPLAY, name, '--publish', shadow];
  const names = ['contested-1', 'contested-2'];
  const ended = await Promise.all(names.map((name) => twhin.end(args(name))));
  const done = names.filter((_, i) => ended[i]?.code === 0);
  expect(done).toHaveLength(1);
  expect(ended.map(({ stderr }) => stderr).join('')).toMatch(/contested is not empty: .* give another topic/);
  const records = await readTopic(inject('brokers'), shadow);
  expect(new Set(records.map(({ headers }) => headers['space'])).size).toBe(1);
  const { vectors } = await readStore(twhin, GRAPH, false, done[0]);
  expect(unlike(vectors, fold(records))).toEqual([]);
});
