import { readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, inject, test } from 'vitest';
import { offsetsOf } from '../../src/graph/head.ts';
import { countHiggs, higgsEvents, higgsLines } from '../fixtures/higgs.ts';
import { deployed } from './deployed.ts';
import { readStore, unlike } from './stored.ts';
import { fold, readTopic } from './topic-reader.ts';
import { type Twhin, until } from './twhin.ts';

const GRAPH = 'engagement';
const EVENTS = 8_000;
/** Wide vectors, so that a backup takes long, and a training slow enough to be met in the middle. */
const WIDE = `
  model: { dim: 512 },
  training: { batchEdges: 256, uniformNegatives: 192 },
  commit: { everyEdges: 512, everyMs: 100 },
  limits: { maxEntities: 20_000, maxKnownEdges: 1_000_000 },`;

interface BackedUp {
  readonly at: string;
  readonly step: number;
  readonly offsets: Record<string, Record<string, number>>;
  readonly entries: number;
}

async function backUp(twhin: Twhin, dir: string): Promise<BackedUp> {
  const { graphs } = (await twhin.json(['backup', dir, '--graph', GRAPH])) as {
    graphs: Record<string, BackedUp>;
  };
  const made = graphs[GRAPH];
  if (made === undefined) throw new Error('nothing was backed up');
  return made;
}

/** Kills a backup while it writes. Gives whether it was met there: it may have ended before, with a manifest of its own. */
async function killInTheMiddle(twhin: Twhin, dir: string): Promise<boolean> {
  const partials = ['checkpoint', 'zst'].map((kind) => join(dir, GRAPH, `${kind}.partial`));
  const written = async (path: string) => (await stat(path).catch(() => undefined))?.size ?? 0;
  const manifest = () => readFile(join(dir, GRAPH, 'manifest.json'), 'utf8').catch(() => '');
  const newest = await manifest();
  for (const partial of partials) await rm(partial, { force: true });
  const backup = twhin.start(['backup', dir, '--graph', GRAPH]);
  await until(
    'its files being written',
    async () => backup.over || (await Promise.all(partials.map(written))).some((bytes) => bytes > 0),
  );
  backup.kill('SIGKILL');
  const { code, signal, stderr } = await backup.ended;
  if (signal === null) expect({ code, stderr }).toMatchObject({ code: 0 });
  return signal === 'SIGKILL' && (await manifest()) === newest;
}

const RELATIONS: Readonly<Record<string, string>> = {
  ...{ retweet: 'retweets', reply: 'replies', mention: 'mentions' },
};

/** What the events below the offsets come to, by their text alone: the newest time of each edge. */
async function edgesBelow(twhin: Twhin, offsets: BackedUp['offsets']): Promise<string[]> {
  const topic = twhin.topic('engagement');
  const newest = new Map<string, number>();
  for (const { partition, offset, value } of await readTopic(inject('brokers'), topic)) {
    if (offset >= (offsets[topic]?.[partition] ?? 0)) continue;
    const { userId, tweetId, action, at } = JSON.parse(String(value));
    const edge = `user:${userId} ${RELATIONS[action]} tweet:${tweetId}`;
    newest.set(edge, Math.max(newest.get(edge) ?? 0, Number(new Date(at))));
  }
  return [...newest].map(([edge, at]) => `${edge} ${at}`).sort();
}

const digestOf = async (twhin: Twhin) =>
  (
    (await twhin.json(['stats', '--graph', GRAPH, '--digest'])) as {
      graphs: Record<string, { digest: unknown }>;
    }
  ).graphs[GRAPH]?.digest;

const eventsBelow = (offsets: BackedUp['offsets']) =>
  Object.values(offsets).reduce(
    (sum, partitions) => sum + Object.values(partitions).reduce((each, offset) => each + offset, 0),
    0,
  );

test('backups beside a writer under load, one killed half-way: each restores to one moment of the stream', async () => {
  const running = await deployed(WIDE);
  const dir = join(running.folder, 'backups');
  const lines = higgsLines(EVENTS, 29);
  const feed = async (name: string, part: readonly string[]) => {
    const file = join(running.folder, name);
    await writeFile(file, higgsEvents(part));
    return ['feed', file, '--topic', 'engagement'];
  };
  await running.ok(['topics', 'apply']);
  await running.ok(await feed('first.txt', lines.slice(0, EVENTS / 2)));
  // The rest comes slowly, so that the writer has something to write for as long as backups are made.
  const rest = await feed('rest.txt', lines.slice(EVENTS / 2));
  const feeding = running.start([...rest, '--rate', '30']);

  const run = running.start(['run', '--graph', GRAPH]);
  const consumed = async () => (await readStore(running, GRAPH, true)).head?.events.consumed ?? 0;
  await until('a third read', async () => (await consumed()) >= EVENTS / 3);
  while (!(await killInTheMiddle(running, dir))) await rm(join(dir, GRAPH), { recursive: true, force: true });
  let first = await backUp(running, dir);
  while (!(await killInTheMiddle(running, dir))) first = await backUp(running, dir);
  expect([feeding.over, run.over]).toEqual([false, false]);
  expect((await consumed()) - eventsBelow(first.offsets)).toBeGreaterThan(0);
  feeding.kill('SIGKILL');

  // What the killed one left behind is beside the first backup, which is as good as it was.
  const home = running.env['TWHIN_STATE'] ?? '';
  const restoreTo = async (name: string) => {
    running.env['TWHIN_STATE'] = join(running.folder, name);
    await running.ok(['restore', dir, '--graph', GRAPH]);
    expect(await running.json(['check', '--graph', GRAPH])).toMatchObject({ ok: true });
  };
  await restoreTo('restored-first');
  const early = await readStore(running, GRAPH);
  expect(early.head?.step).toBe(first.step);
  expect(offsetsOf(early.head?.positions ?? {})).toEqual(first.offsets);
  expect(early.edges).toEqual(await edgesBelow(running, first.offsets));
  expect(early.edges.length).toBeGreaterThan(1000);

  // At rest the whole of it, to the byte.
  running.env['TWHIN_STATE'] = home;
  run.kill('SIGKILL');
  await run.ended;
  // Some of it for the second time, which changes nothing.
  await running.ok(rest);
  await running.ok(['run', '--graph', GRAPH, '--until-caught-up']);
  const last = await backUp(running, dir);
  const again = await backUp(running, dir);
  expect(again).toEqual({ ...last, at: again.at });
  const digest = await digestOf(running);
  await restoreTo('restored-last');
  expect(await digestOf(running)).toEqual(digest);
  const whole = await readStore(running, GRAPH);
  const expected = countHiggs(lines);
  expect(whole.edges).toEqual(expected.named);
  expect(whole.head).toMatchObject({ edges: expected.edges, outbox: 0 });

  // The topics with vectors alone give these back, byte for byte: of entities, and of relations that were trained.
  const model = fold(await readTopic(inject('brokers'), running.topic(`model.${GRAPH}`)));
  expect(unlike(whole.relations, model)).toEqual([]);
  expect(model.size).toBe(whole.relations.size);
  running.env['TWHIN_STATE'] = join(running.folder, 'from-topic');
  await running.ok(['restore', '--from-topic', '--graph', GRAPH]);
  const topic = fold(await readTopic(inject('brokers'), running.topic(`embeddings.${GRAPH}`)));
  const fromTopic = await readStore(running, GRAPH);
  expect(fromTopic.vectors.size).toBe(expected.users + expected.tweets);
  expect(unlike(fromTopic.vectors, topic)).toEqual([]);
  expect([fromTopic.edges, fromTopic.head?.positions]).toEqual([[], {}]);
  const trained = [...model].filter(([, { headers }]) => headers['trained'] === 'true').map(([key]) => key);
  expect(trained.length).toBeGreaterThanOrEqual(6);
  for (const key of trained)
    expect([key, fromTopic.relations.get(key)]).toEqual([key, whole.relations.get(key)]);

  // The early one goes on from where it stood, to the same graph.
  running.env['TWHIN_STATE'] = join(running.folder, 'restored-first');
  await running.ok(['run', '--graph', GRAPH, '--until-caught-up']);
  const later = await readStore(running, GRAPH);
  expect(later.edges).toEqual(expected.named);
  expect(later.head?.events).toEqual(whole.head?.events);
  // It found the topic ahead of it, and published its own vectors above what was there.
  const now = fold(await readTopic(inject('brokers'), running.topic(`embeddings.${GRAPH}`)));
  expect(unlike(later.vectors, now)).toEqual([]);
  const [{ headers } = { headers: {} }] = now.values();
  const digits = expect.stringMatching(/^\d+$/);
  expect(headers).toEqual({
    ...{ graph: GRAPH, dim: '512', dtype: 'float32', step: digits, epoch: digits, space: later.head?.space },
    ...{ at: expect.stringMatching(/^13\d{11}$/), fingerprint: expect.stringMatching(/^[0-9a-f]{16}$/) },
  });
  const behind = [...now].filter(
    ([key, { headers }]) => Number(headers['step']) < Number(topic.get(key)?.headers['step']),
  );
  expect(behind.map(([key]) => key)).toEqual([]);
});
