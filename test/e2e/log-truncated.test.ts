import { open, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, expect, test } from 'vitest';
import { entityKey } from '../../src/graph/entity.ts';
import { shardOf } from '../../src/graph/shard.ts';
import { ownBroker } from '../kafka/own-broker.ts';
import { deployed, follows } from './deployed.ts';
import { readStore } from './stored.ts';
import { endsOf } from './topic-ends.ts';
import { type Running, SMALL, type Twhin, until } from './twhin.ts';

const own = ownBroker();
const RUN = ['run', '--graph', 'follow'];
const TO_THE_END = [...RUN, '--until-caught-up'];
const FIRST = 600;

let twhin: Twhin;
let topic: string;

beforeEach(async () => {
  twhin = await deployed(SMALL, own.broker.brokers);
  topic = twhin.topic('follow');
  await twhin.ok(['topics', 'apply'], { alone: true });
});

/** Two producers at once, in several batches. */
async function feed(from: number, count: number): Promise<void> {
  for (let sent = 0; sent < count; sent += 200)
    await Promise.all(
      [from + sent, from + sent + 100].map((first) => twhin.feed('follow', follows(first, 100))),
    );
}

/** Takes the end of each partition of a topic away, as an older volume of a broker lacks it: 60 % of the batches are left. */
async function cut(topics: readonly string[], whileDown = async () => {}): Promise<void> {
  await own.broker.stop();
  const data = join(own.dir, 'data');
  for (const folder of await readdir(data)) {
    if (!topics.some((name) => folder.replace(/-\d+$/, '') === name)) continue;
    for (const file of await readdir(join(data, folder)))
      if (file.endsWith('.log')) await cutSegment(join(data, folder, file));
      else if (/(index|snapshot)$/.test(file)) await rm(join(data, folder, file));
  }
  for (const file of [
    '.kafka_cleanshutdown',
    'recovery-point-offset-checkpoint',
    'replication-offset-checkpoint',
  ])
    await rm(join(data, file), { force: true });
  await whileDown();
  await own.broker.restart();
}

/** A batch: base offset i64 | length of what follows i32 | … */
async function cutSegment(path: string): Promise<void> {
  await using file = await open(path, 'r+');
  const bytes = await file.readFile();
  const ends: number[] = [];
  for (let at = 0; at < bytes.length; at += 12 + bytes.readInt32BE(at + 8)) ends.push(at);
  await file.truncate(ends[Math.ceil(ends.length * 0.6)] ?? bytes.length);
}

async function ends(running: Running, code = 1): Promise<string> {
  const ended = await running.ended;
  expect(ended.code, ended.stderr.slice(-3000)).toBe(code);
  return ended.stderr;
}

const refused = () => new RegExp(`\\[log-diverged\\].*${topic}.*--go-on ${topic}.*--reread ${topic}`, 's');

async function edges(): Promise<number> {
  return Object(await twhin.json(['stats', '--graph', 'follow'])).graphs.follow.edges.follows;
}

test('a log that lost its end while nothing ran, and grew past it: refused at each start, until somebody says how to go on', async () => {
  await feed(0, FIRST);
  await ends(twhin.start(TO_THE_END), 0);
  expect(await edges()).toBe(FIRST);
  await cut([topic]);
  // The first start comes before other records have the lost offsets, the others after.
  expect(await ends(twhin.start(TO_THE_END))).toMatch(refused());
  await feed(10_000, 2 * FIRST);
  for (let start = 0; start < 2; start++) expect(await ends(twhin.start(TO_THE_END))).toMatch(refused());
  expect(await edges()).toBe(FIRST);
  await ends(twhin.start([...TO_THE_END, '--go-on', 'follow']), 0);
  expect(await edges()).toBe(3 * FIRST);
  await ends(twhin.start(TO_THE_END), 0);
});

test('a log that lost its end under an updater, a standby and serve: each ends, and --reread counts nothing twice', async () => {
  await feed(0, FIRST);
  const elsewhere = twhin.elsewhere({ TWHIN_STATE: join(twhin.folder, 'standby') });
  const leader = twhin.start(RUN);
  await until('the first events', async () => (await edges().catch(() => 0)) === FIRST);
  const standby = elsewhere.start([...RUN, '--standby']);
  const serve = twhin.start(['serve', '--graph', 'follow', '--http', '127.0.0.1:0']);
  await until(
    'both others to read',
    () => /"phase":"standby"/.test(standby.stderr) && /ready after/.test(serve.stderr),
  );
  await cut([topic]);
  await feed(10_000, 2 * FIRST);
  for (const running of [leader, standby]) expect(await ends(running)).toMatch(refused());
  expect(await ends(serve)).toMatch(/\[log-diverged\]/);
  await ends(twhin.start([...TO_THE_END, '--reread', topic]), 0);
  expect(await edges()).toBe(3 * FIRST);
});

test('a log that lost its end under shards, one of them behind: --go-on once, and each has all that concerns it', async () => {
  twhin = await deployed(`${SMALL} graphs: { follow: { shards: 2 } },`, own.broker.brokers);
  topic = twhin.topic('follow');
  await twhin.ok(['topics', 'apply'], { alone: true });
  const run = (shard: number, ...args: string[]) =>
    twhin.start(['run', '--graph', `follow-${shard}`, ...args]);
  const read = (shard: number, count: number) =>
    until(`${count} events in shard ${shard}`, async () => {
      const { head } = await readStore(twhin, `follow-${shard}`, true);
      const positions = Object.values(head?.positions[topic] ?? {});
      return positions.reduce((sum, { offset }) => sum + offset, 0) >= count;
    });
  await feed(0, 200);
  const [ahead, behind] = [run(0), run(1)];
  await Promise.all([read(0, 200), read(1, 200)]);
  await behind.stop();
  await feed(200, FIRST);
  await read(0, 200 + FIRST);
  await cut([topic]);
  expect(await ends(ahead)).toMatch(refused());
  // Nothing is routed meanwhile.
  const alone = run(0, '--go-on', 'follow');
  await alone.says(/routers gave this process/);
  await alone.stop();
  await feed(10_000, 2 * FIRST);
  const both = [run(0), run(1, '--go-on', 'follow')];
  const held = [...(await endsOf(own.broker.brokers, topic)).values()].reduce((a, b) => a + b);
  await Promise.all([read(0, held), read(1, held)]);
  for (const running of both) await running.stop();
  for (const shard of [0, 1]) {
    const { edges } = await readStore(twhin, `follow-${shard}`);
    const has = new Set(edges.map((edge) => edge.split(' ')[0]));
    const owns = (user: string) => shardOf(entityKey('user', user), 2) === shard;
    const lacking = follows(10_000, 2 * FIRST).filter(
      ({ followerId, followedId }) =>
        (owns(followerId) || owns(followedId)) && !has.has(entityKey('user', followerId)),
    );
    expect(lacking).toEqual([]);
  }
});
