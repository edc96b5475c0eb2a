import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, inject, test } from 'vitest';
import { z } from 'zod';
import { connect } from '../../src/adapters/connect.ts';
import { readStore, unlike } from './stored.ts';
import { fold, type TopicRecord } from './topic-reader.ts';
import { Twhin, until } from './twhin.ts';

const follows = (from: number, count: number) =>
  Array.from({ length: count }, (_, i) => ({
    ...{ followerId: `u${from + i}`, followedId: `u${from + i + 1}`, action: 'follow' },
    at: 1_700_000_000_000 + from + i,
  }));

/** Every record of a topic, partition by partition. */
async function recordsOf(brokers: string, topic: string): Promise<TopicRecord[]> {
  const log = await connect({ brokers: [brokers], clientId: 'apart' });
  const reader = log.log();
  const found: TopicRecord[] = [];
  const ranges = await reader.ranges([topic]);
  const reading = await reader.read(
    ranges.map(({ partition, low, high }) => ({ topic, partition, from: low, until: high })),
  );
  for (const cursor of reading.cursors) {
    for (let records = await cursor.next(); records !== undefined; records = await cursor.next()) {
      for (const { partition, offset, key, value, headers = {} } of records) {
        const texts = Object.entries(headers).map(([name, bytes]) => [name, bytes.toString()]);
        found.push({ topic, partition, offset, key: String(key), value, headers: Object.fromEntries(texts) });
      }
    }
  }
  await reader.close();
  await log.close();
  return found;
}

/** Keys whose steps or epochs fall somewhere, with both. */
function falling(records: readonly TopicRecord[]): string[] {
  const last = new Map<string, { step: number; epoch: number }>();
  const found: string[] = [];
  for (const { key, headers } of records) {
    const now = { step: Number(headers['step']), epoch: Number(headers['epoch']) };
    const before = last.get(String(key));
    if (before && (now.step < before.step || now.epoch < before.epoch)) {
      found.push(`${key}: ${JSON.stringify(before)}, then ${JSON.stringify(now)}`);
    }
    last.set(String(key), now);
  }
  return found;
}

const resultSchema = z.object({
  ...{ graph: z.string(), store: z.string(), previous: z.string() },
  ...{ read: z.number(), left: z.number(), published: z.literal(true), seconds: z.number() },
});

describe.each([
  ['Kafka', () => inject('brokers')],
  ['the embedded log', () => undefined],
])('twhin replay promote on %s', (_, kafka) => {
  let folder = '';
  let twhin: Twhin | undefined;
  afterEach(async () => {
    await twhin?.remove();
    await rm(folder, { recursive: true, force: true });
  });

  test('swaps under a running updater, keeps the store before, and goes back', async () => {
    folder = await mkdtemp(join(tmpdir(), 'twhin-promote-'));
    const brokers = kafka() ?? `file:${folder}`;
    const here = await Twhin.create(brokers);
    twhin = here;
    await here.ok(['topics', 'apply']);
    await here.feed('follow', follows(0, 300));
    const running = here.start(['run', '--graph', 'follow']);
    const consumed = async () => (await readStore(here, 'follow', true)).head?.events.consumed;
    await until('300 events', async () => (await consumed()) === 300);
    await here.ok(['replay', '--graph', 'follow', '--into', 'shadow', '--set', 'dim=8']);
    await here.feed('follow', follows(300, 100));

    const promoted = resultSchema.parse(await here.json(['replay', 'promote', 'shadow', '--max-lag', '10']));
    expect(promoted).toMatchObject({ graph: 'follow', store: 'shadow', previous: 'main', read: 100 });
    await here.feed('follow', follows(400, 50));
    await until('450 events', async () => (await consumed()) === 450);

    const back = resultSchema.parse(
      await here.json(['replay', 'promote', '--rollback', '--graph', 'follow']),
    );
    expect(back).toMatchObject({ graph: 'follow', store: 'main', previous: 'shadow' });
    await until('450 events', async () => (await consumed()) === 450);
    running.kill('SIGTERM');
    expect((await running.ended).code).toBe(0);

    const stored = await readStore(here, 'follow');
    expect(stored.edges).toHaveLength(450);
    expect(stored.vectors.get('user:u0')).toHaveLength(16 * 4);
    const records = await recordsOf(brokers, here.topic('embeddings.follow'));
    expect(unlike(stored.vectors, fold(records))).toEqual([]);
    expect(falling(records)).toEqual([]);
    expect(new Set(records.map(({ headers }) => headers['dim']))).toEqual(new Set(['16', '8']));
    expect(new Set(records.map(({ headers }) => headers['epoch'])).size).toBe(3);
  });

  test('refuses what is not there or not fit, and needs no running updater', async () => {
    folder = await mkdtemp(join(tmpdir(), 'twhin-promote-'));
    const here = await Twhin.create(kafka() ?? `file:${folder}`);
    twhin = here;
    await here.ok(['topics', 'apply']);
    await here.feed('follow', follows(0, 40));
    const refused = async (...args: string[]) => {
      const { code, stderr } = await here.end(['replay', 'promote', ...args]);
      return [code, stderr];
    };
    expect(await refused('shadow')).toEqual([2, expect.stringContaining('there is no store shadow')]);
    expect(await refused('--rollback')).toEqual([2, expect.stringContaining('no store was live before')]);
    expect(await refused()).toEqual([2, expect.stringContaining('the name of a store or --rollback')]);
    expect(await refused('main', '--graph', 'follow')).toEqual([2, expect.stringContaining('already')]);

    await here.ok(['run', '--graph', 'follow', '--until-caught-up']);
    await here.ok(['replay', '--graph', 'follow', '--into', 'shadow']);
    const said = await here.ok(['replay', 'promote', 'shadow']);
    expect(said).toContain('shadow is the live store of follow');
    expect(said).toContain('the next twhin run publishes what differs');
    await here.ok(['run', '--graph', 'follow', '--until-caught-up']);
    const records = await recordsOf(here.env['KAFKA_BROKERS'] ?? '', here.topic('embeddings.follow'));
    const stored = await readStore(here, 'follow');
    expect(unlike(stored.vectors, fold(records))).toEqual([]);
    expect(falling(records)).toEqual([]);
  });
});

describe('a promotion that meets trouble', () => {
  let folder = '';
  let twhin: Twhin | undefined;
  afterEach(async () => {
    await twhin?.remove();
    await rm(folder, { recursive: true, force: true });
  });

  test('says what became of it: interrupted, overtaken by another, left by a process that was killed', async () => {
    folder = await mkdtemp(join(tmpdir(), 'twhin-promote-'));
    const brokers = `file:${folder}`;
    const here = await Twhin.create(brokers);
    twhin = here;
    const wish = join(here.folder, 'state', 'follow', 'promote.json');
    await here.ok(['topics', 'apply']);
    await here.feed('follow', follows(0, 100));
    await here.ok(['run', '--graph', 'follow', '--until-caught-up']);
    for (const name of ['one', 'two']) await here.ok(['replay', '--graph', 'follow', '--into', name]);
    const running = here.start(['run', '--graph', 'follow']);
    await running.says(/"msg":"leads the graph"/);
    await writeFile(wish, '{"store":"nowhere","set":[]}');
    await running.says(/there is no store nowhere/);
    await here.feed('follow', follows(100, 20));
    const consumed = async () => (await readStore(here, 'follow', true)).head?.events.consumed;
    await until('120 events, by the store that was live', async () => (await consumed()) === 120);

    running.kill('SIGSTOP');
    const interrupted = here.start(['replay', 'promote', 'one', '--max-lag', '50']);
    await interrupted.says(/asked the running updater/);
    interrupted.kill('SIGINT');
    expect(await interrupted.ended).toMatchObject({
      ...{ code: 1, stderr: expect.stringContaining('interrupted; nothing has changed') },
    });
    expect(existsSync(wish)).toBe(false);

    const overtaken = here.start(['replay', 'promote', 'one', '--max-lag', '50']);
    await overtaken.says(/asked the running updater/);
    const made = here.start(['replay', 'promote', 'two', '--max-lag', '50']);
    expect(await overtaken.ended).toMatchObject({
      ...{ code: 1, stderr: expect.stringContaining('that of two was asked for meanwhile') },
    });
    await made.says(/asked the running updater/);
    running.kill('SIGKILL');
    expect(await made.ended).toMatchObject({
      ...{ code: 0, stdout: expect.stringContaining('two is the live store of follow') },
    });
    await here.ok(['run', '--graph', 'follow', '--until-caught-up']);
    const stored = await readStore(here, 'follow');
    expect(stored.edges).toHaveLength(120);
    const records = await recordsOf(brokers, here.topic('embeddings.follow'));
    expect(unlike(stored.vectors, fold(records))).toEqual([]);
    expect(falling(records)).toEqual([]);
  });
});
