import { existsSync } from 'node:fs';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { readStore } from '../../e2e/stored.ts';
import { Twhin, until } from '../../e2e/twhin.ts';
import { json, type Place } from '../captured.ts';
import { filledPlace } from '../filled-place.ts';

let here: Place;
beforeEach(async () => {
  here = await filledPlace();
});
afterEach(() => here.remove());

const GRAPH = ['--graph', 'engagement'];
const at = (...path: string[]) => join(here.folder, 'state/engagement', ...path);
const ok = async (...argv: string[]) => {
  const said = await here.run(...argv);
  expect([argv, said.code, said.code === 0 ? '' : said.err.join('\n')]).toEqual([argv, 0, '']);
  return said;
};
const damage = async (...path: string[]) => {
  const list = (await readFile(at(...path, 'CURRENT'), 'utf8')).trim();
  await writeFile(at(...path, list), 'no list of files');
};

describe('a live store with settings of its own', () => {
  test('is the store that stats and doctor report, without a complaint', async () => {
    await ok('replay', ...GRAPH, '--into', 'small', '--set', 'dim=4');
    await ok('replay', 'promote', 'small');
    const stats = await ok('stats', ...GRAPH);
    expect(stats.out[0]).toBe(`engagement  (small in ${at('stores', 'small')})`);
    expect(json(await ok('stats', ...GRAPH, '--json'))).toMatchObject({
      graphs: { engagement: { store: 'small' } },
    });
    const doctor = await ok('doctor');
    expect(doctor.out.join('\n')).toMatch(/ok {4}store engagement +small: 57 entities, .*stores\/small/);
  });
});

describe('twhin replay promote', () => {
  test('replaces a damaged live store, and goes back from a damaged one', async () => {
    await ok('replay', ...GRAPH, '--into', 'rebuilt');
    await damage('db');
    expect((await here.run('run', ...GRAPH, '--until-caught-up')).code).toBe(1);
    await ok('replay', 'promote', 'rebuilt');
    await ok('run', ...GRAPH, '--until-caught-up');
    expect(existsSync(at('promote.json'))).toBe(false);

    await ok('replay', ...GRAPH, '--into', 'other');
    await ok('replay', 'promote', 'other');
    await damage('stores', 'other', 'db');
    await ok('replay', 'promote', '--rollback');
    expect(json(await ok('stats', ...GRAPH, '--json'))).toMatchObject({
      graphs: { engagement: { store: 'rebuilt', events: { consumed: 301 } } },
    });
  });

  test('refuses a store that does not fit the configuration', async () => {
    await ok('replay', ...GRAPH, '--into', 'shadow', '--set', 'dim=4');
    await writeFile(at('stores', 'shadow', 'origin.json'), '{"from":"replay","set":[],"since":""}');
    const { code, err } = await here.run('replay', 'promote', 'shadow');
    expect([code, err.join('\n')]).toEqual([
      1,
      expect.stringMatching(/shadow is of another model .*dim: the store has 4, the configuration 8/),
    ]);
    expect([existsSync(at('promote.json')), existsSync(at('live.json'))]).toEqual([false, false]);
  });

  test('refuses a store whose offsets the log no longer holds, unless --reread names the topic', async () => {
    await ok('replay', ...GRAPH, '--into', 'shadow');
    await rm(join(here.folder, 'log'), { recursive: true });
    await ok('topics', 'apply');
    const { code, err } = await here.run('replay', 'promote', 'shadow');
    expect([code, err.join('\n')]).toEqual([
      1,
      expect.stringMatching(/deleted and recreated.*--reread twhin\.engagement keeps what it learned/),
    ]);
    expect(existsSync(at('live.json'))).toBe(false);
    await ok('replay', 'promote', 'shadow', '--reread', 'engagement');
  });

  test('refuses reserved and invalid names of stores, and ignores folders with such names', async () => {
    for (const name of ['live', 'Shadow', '../x']) {
      const { code, err } = await here.run('replay', ...GRAPH, '--into', name);
      expect([code, err.join('\n')]).toEqual([2, expect.stringContaining("expected a store's name")]);
    }
    await ok('replay', ...GRAPH, '--into', 'shadow');
    await mkdir(at('stores', 'shadow.old'), { recursive: true });
    const { err } = await here.run('replay', 'compare', 'live', 'nothing', ...GRAPH);
    expect(err.join('\n')).toMatch(/main \(live\), shadow\b(?!\.old)/);
  });
});

test('under a running updater it says what is published, and no number that it can only guess', async () => {
  const twhin = await Twhin.create(`file:${join(here.folder, 'other-log')}`);
  try {
    await twhin.ok(['topics', 'apply']);
    const follows = Array.from({ length: 60 }, (_, i) => ({
      ...{ followerId: `u${i}`, followedId: `u${i + 1}`, action: 'follow', at: 1_700_000_000_000 + i },
    }));
    await twhin.feed('follow', follows);
    twhin.start(['run', '--graph', 'follow']);
    const consumed = async () => (await readStore(twhin, 'follow', true)).head?.events.consumed;
    await until('60 events', async () => (await consumed()) === 60);
    await twhin.ok(['replay', '--graph', 'follow', '--into', 'shadow', '--set', 'dim=8']);
    const said = await twhin.ok(['replay', 'promote', 'shadow']);
    expect(said).toContain('; all vectors that differ are published. main stays to go back to');
    const back = await twhin.json(['replay', 'promote', '--rollback', '--graph', 'follow']);
    expect(back).toMatchObject({ store: 'main', published: true });
  } finally {
    await twhin.remove();
  }
}, 60_000);

test('a replay that was killed before it wrote its record begins anew', async () => {
  await mkdir(at('stores', 'shadow', 'db'), { recursive: true });
  await writeFile(at('stores', 'shadow', 'origin.json'), '{"from":"replay","set":[],"since":""}');
  await ok('replay', ...GRAPH, '--into', 'shadow');
});

test('--reread accepts the name of a topic with the prefix and without', async () => {
  for (const name of ['engagement', 'twhin.engagement']) {
    await ok('run', ...GRAPH, '--reread', name, '--until-caught-up');
  }
  expect(json(await ok('stats', ...GRAPH, '--json'))).toMatchObject({
    graphs: { engagement: { events: { consumed: 903, duplicate: 600, late: 2 } } },
  });
  const { code, err } = await here.run('run', ...GRAPH, '--reread', 'follow');
  expect([code, err.join('\n')]).toEqual([
    2,
    expect.stringMatching(/--reread: expected one of twhin.engagement, .*seen follow/),
  ]);
});

test('a run continues on the live store if a requested promotion fails', async () => {
  await writeFile(at('promote.json'), '{"store":"nowhere","set":[]}');
  const { code, err } = await here.run('replay', 'promote', '--rollback');
  expect([code, err.join('\n')]).toEqual([2, expect.stringContaining('no store was live before')]);
  const ran = await here.run('run', ...GRAPH, '--until-caught-up');
  expect([ran.code, ran.err.join('\n')]).toEqual([1, expect.stringContaining('there is no store nowhere')]);
  await rm(at('promote.json'), { force: true });
  await ok('run', ...GRAPH, '--until-caught-up');
});
