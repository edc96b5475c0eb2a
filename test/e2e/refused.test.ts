import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, inject, test } from 'vitest';
import { readStore } from './stored.ts';
import { Twhin, until } from './twhin.ts';

const RUN = ['run', '--graph', 'engagement', '--until-caught-up'];
let twhin: Twhin;

beforeEach(async () => {
  twhin = await Twhin.create(inject('brokers'));
});
afterEach(() => twhin.remove());

const likes = (from: number, count: number) =>
  Array.from({ length: count }, (_, n) => ({
    ...{ userId: n % 10, tweetId: from + n, action: 'like', at: 1_704_067_200_000 + n },
  }));

describe('what a run refuses', () => {
  test('missing topics: it names them and the command, and makes them when asked', async () => {
    const refused = await twhin.end(RUN);
    expect(refused).toMatchObject({ code: 1, stdout: '' });
    for (const topic of ['engagement', 'ad-click', 'search', 'erasure']) {
      expect(refused.stderr).toContain(twhin.topic(topic));
    }
    expect(refused.stderr).toContain('twhin topics apply');
    await twhin.ok([...RUN, '--create-topics']);
    expect(await twhin.ok(['topics', 'plan'])).toContain('nothing to change');
  });

  test('a wrong configuration: every problem at once, and nothing started', async () => {
    const config = await twhin.configure(`
      model: { dim: -4, scorer: 'cosine' },
      graphs: { engagement: { topics: ['engagement'], relations: [] } },
      nonsense: 1,`);
    const env = { TWHIN_CONFIG: config, KAFKA_SSL: 'maybe', KAFKA_BROKERS: 'localhost' };
    for (const args of [RUN, ['topics', 'apply'], ['stats']]) {
      const { code, stdout, stderr } = await twhin.end(args, { env });
      expect({ args, code, stdout }).toEqual({ args, code: 2, stdout: '' });
      for (const said of [/model\.dim: .*seen -4/, /model\.scorer: .*seen "cosine"/, /nonsense/]) {
        expect(stderr).toMatch(said);
      }
      for (const said of [
        /graphs\.engagement\.relations: .*seen an array of 0/,
        /KAFKA_SSL: .*seen "maybe"/,
      ]) {
        expect(stderr).toMatch(said);
      }
      expect(stderr).toMatch(/KAFKA_BROKERS: .*seen "localhost"/);
      expect(stderr).toContain('nothing was started');
      expect(stderr).not.toMatch(/\n\s+at /);
    }
    expect(existsSync(join(twhin.folder, 'state'))).toBe(false);
  });

  test('the store of another model: it says what differs and leaves it as it is', async () => {
    await twhin.ok(['topics', 'apply']);
    await twhin.feed('engagement', likes(0, 100));
    await twhin.ok(RUN);
    const before = await twhin.json(['stats', '--digest']);
    const other = { TWHIN_CONFIG: await twhin.configure(`model: { dim: 32, scorer: 'twhin' }`) };
    const refused = await twhin.end(RUN, { env: other });
    expect(refused).toMatchObject({ code: 1, stdout: '' });
    expect(refused.stderr).toContain('dim: the store has 16, the configuration 32');
    expect(refused.stderr).toContain('scorer: the store has transe-l2, the configuration twhin');
    expect(refused.stderr).toContain('twhin promote NAME --graph engagement');
    expect(await twhin.json(['stats', '--digest'])).toEqual(before);
    await twhin.ok(RUN);
  });

  test('a second process on one store: it names the holder, and the first goes on', async () => {
    await twhin.ok(['topics', 'apply']);
    const first = twhin.start(['run', '--graph', 'engagement']);
    await first.says(/store is new/);
    const second = await twhin.end(RUN);
    expect(second).toMatchObject({ code: 1, stdout: '' });
    expect(second.stderr).toContain(`process ${first.pid} `);
    expect(second.stderr).toContain(join(twhin.folder, 'state', 'engagement'));
    // The other graph is another store.
    await twhin.ok(['run', '--graph', 'follow', '--until-caught-up']);

    await twhin.feed('engagement', likes(0, 200));
    const consumed = async () => (await readStore(twhin, 'engagement', true)).head?.events.consumed;
    await until('the first one consumed them', async () => (await consumed()) === 200);
    first.kill('SIGTERM');
    expect((await first.ended).code).toBe(0);
    await twhin.ok(RUN);
  });

  test('a state folder that can’t be written: the path and the reason', async () => {
    await twhin.ok(['topics', 'apply']);
    const file = join(twhin.folder, 'a-file');
    await writeFile(file, '');
    const state = join(file, 'state');
    const refused = await twhin.end(RUN, { env: { TWHIN_STATE: state } });
    expect(refused).toMatchObject({ code: 1, stdout: '' });
    expect(refused.stderr).toContain(state);
    expect(refused.stderr).toMatch(/ENOTDIR|[Nn]ot a directory/);
    expect(refused.stderr).not.toContain('was not expected');
  });
});
