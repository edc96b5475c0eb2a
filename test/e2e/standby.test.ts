import { join } from 'node:path';
import { afterEach, describe, expect, inject, test } from 'vitest';
import { readStore, unlike } from './stored.ts';
import { fold, readTopic } from './topic-reader.ts';
import { Twhin, until } from './twhin.ts';

const follows = (from: number, count: number) =>
  Array.from({ length: count }, (_, i) => ({
    ...{ followerId: `u${from + i}`, followedId: `u${from + i + 1}`, action: 'follow' },
    at: 1_700_000_000_000 + from + i,
  }));
const RUN = ['run', '--graph', 'follow'];

describe('twhin run --standby', () => {
  let twhin: Twhin | undefined;
  afterEach(() => twhin?.remove());

  test('is warm while another leads, and leads when that one is killed', async () => {
    const here = await Twhin.create(inject('brokers'));
    twhin = here;
    await here.ok(['topics', 'apply']);
    await here.feed('follow', follows(0, 500));
    const leader = here.start(RUN);
    await leader.says(/"msg":"leads the graph"/);
    const second = await here.end(RUN, { env: { TWHIN_STATE: join(here.folder, 'other') } });
    expect([second.code, second.stderr]).toEqual([1, expect.stringMatching(/--standby/)]);

    const env = { TWHIN_STATE: join(here.folder, 'standby') };
    const standby = here.start([...RUN, '--standby'], { env });
    const stood = here.elsewhere(env);
    const consumed = async () => (await readStore(stood, 'follow', true)).head?.events.consumed;
    await until('a warm standby', async () => (await consumed()) === 500);
    expect((await readStore(stood, 'follow', true)).head?.epoch).toBe(0);
    leader.kill('SIGKILL');
    await here.feed('follow', follows(500, 100));
    await standby.says(/"msg":"leads the graph"/);
    await until('600 events', async () => (await consumed()) === 600);
    standby.kill('SIGTERM');
    expect((await standby.ended).code).toBe(0);

    const stored = await readStore(stood, 'follow');
    expect(stored.edges).toHaveLength(600);
    const records = await readTopic(inject('brokers'), here.topic('embeddings.follow'));
    expect(unlike(stored.vectors, fold(records))).toEqual([]);
    const steps = new Map<string, number>();
    for (const { key, headers } of records) {
      expect([key, Number(headers['step'])]).toEqual([
        key,
        expect.toSatisfy((step: number) => step >= (steps.get(String(key)) ?? 0)),
      ]);
      steps.set(String(key), Number(headers['step']));
    }
    expect(new Set(records.map(({ headers }) => headers['epoch']))).toEqual(new Set(['1', '2']));

    // The one that was killed comes back on its own store: it must publish all anew, above what the standby did.
    await here.ok([...RUN, '--until-caught-up']);
    const again = await readStore(here, 'follow');
    const last = fold(await readTopic(inject('brokers'), here.topic('embeddings.follow')));
    expect(unlike(again.vectors, last)).toEqual([]);
    // All but those that are the same, byte for byte, as what was there.
    const epochs = [...last.values()].map(({ headers }) => Number(headers['epoch']));
    expect(Math.max(...epochs)).toBe(3);
    const goneBack = [...last].filter(
      ([key, { headers }]) => Number(headers['step']) < (steps.get(key) ?? 0),
    );
    expect(goneBack).toEqual([]);
  });
});
