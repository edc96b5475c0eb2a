import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { json, own, type Place, refused, succeeded } from './captured.ts';
import { filledPlace } from './filled-place.ts';

let here: Place;
beforeEach(async () => {
  here = await own(filledPlace());
});

const GRAPH = ['--graph', 'engagement'];
const at = (...path: string[]) => join(here.folder, 'state/engagement', ...path);
const ok = (...argv: string[]) => succeeded(here.run(...argv));
const damage = async (...path: string[]) => {
  const list = (await readFile(at(...path, 'CURRENT'), 'utf8')).trim();
  await writeFile(at(...path, list), 'no list of files');
};

describe('twhin promote', () => {
  test('replaces a damaged live store by one with settings of its own, and goes back from a damaged one', async () => {
    await ok('replay', ...GRAPH, '--into', 'rebuilt', '--set', 'dim=4');
    await damage('db');
    expect((await here.run('run', ...GRAPH, '--until-caught-up')).code).toBe(1);
    await ok('promote', 'rebuilt');
    await ok('run', ...GRAPH, '--until-caught-up');
    const stats = await ok('stats', ...GRAPH);
    expect(stats.out[0]).toBe(`engagement  (rebuilt in ${at('stores', 'rebuilt')})`);
    const doctor = (await ok('doctor')).out.join('\n');
    expect(doctor).toMatch(/ok {4}store engagement +rebuilt: 57 entities, .*stores\/rebuilt/);

    await ok('replay', ...GRAPH, '--into', 'other');
    await ok('promote', 'other');
    // Its list of files is whole, and its vectors are gone.
    const files = await readdir(at('stores', 'other', 'db'));
    for (const file of files) if (file.startsWith('checkpoint-')) await rm(at('stores', 'other', 'db', file));
    await ok('promote', '--rollback');
    expect(json(await ok('stats', ...GRAPH, '--json'))).toMatchObject({
      graphs: { engagement: { store: 'rebuilt', events: { consumed: 301 } } },
    });
  });

  test('refuses a store that does not fit the configuration', async () => {
    await ok('replay', ...GRAPH, '--into', 'shadow', '--set', 'dim=4');
    await writeFile(at('stores', 'shadow', 'origin.json'), '{"from":"replay","set":[],"since":""}');
    await refused(
      here.run('promote', 'shadow'),
      1,
      /another model's .*dim: the store has 4, the configuration 8/s,
    );
    expect(existsSync(at('live.json'))).toBe(false);
  });

  test('refuses a store whose offsets the log no longer holds, and says what to do', async () => {
    await ok('replay', ...GRAPH, '--into', 'shadow');
    await rm(join(here.folder, 'log'), { recursive: true });
    await ok('topics', 'apply');
    await refused(
      here.run('promote', 'shadow'),
      1,
      /\[offset-out-of-range\].*lost the end of the log. Nothing has changed. Make a store of what the topics hold now, and promote that: twhin replay --graph engagement --into NAME/,
    );
    expect(existsSync(at('live.json'))).toBe(false);
  });

  test('says how far the store is behind; given again, with its rest read or not, it changes nothing', async () => {
    const replay = async (into: string) => json(await ok('replay', ...GRAPH, '--into', into, '--json'));
    await replay('shadow');
    await replay('longer');
    await ok('feed', join(here.folder, 'events.ndjson'), '--topic', 'engagement');
    // The same command goes on to the present end of the topic.
    expect(await replay('longer')).toMatchObject({ events: 602 });
    const promote = async (...more: string[]) => json(await ok('promote', ...more, ...GRAPH, '--json'));
    const stores = [{ graph: 'engagement', previous: 'main', behind: 301 }];
    const promoted = { graph: 'engagement', store: 'shadow', stores, elsewhere: [] };
    expect(await promote('shadow')).toEqual(promoted);
    const declared = await readFile(at('live.json'), 'utf8');
    expect(await promote('shadow')).toEqual(promoted);
    await ok('run', ...GRAPH, '--until-caught-up');
    expect(await promote('shadow')).toMatchObject({ stores: [{ previous: 'main', behind: 0 }] });
    expect(await readFile(at('live.json'), 'utf8')).toBe(declared);
    expect(await promote('--rollback')).toMatchObject({
      store: 'main',
      stores: [{ previous: 'shadow', behind: 301 }],
    });
  });

  test('refuses names that no store has, and a replay that has not finished', async () => {
    for (const [argv, said] of [
      [['shadow'], 'there is no store shadow in engagement, follow'],
      [['--rollback'], 'no store was live before the one that is'],
      [[], 'expected either the name of a store or --rollback'],
      [['shadow', '--rollback'], 'expected either the name of a store or --rollback'],
      [['main'], 'several graphs have such a store: engagement, follow; say which with --graph'],
    ] as const) {
      await refused(here.run('promote', ...argv), 2, said);
    }
    await ok('replay', ...GRAPH, '--into', 'shadow');
    const origin = JSON.parse(await readFile(at('stores/shadow/origin.json'), 'utf8'));
    const unfinished = { ...origin, replay: { ...origin.replay, finished: null } };
    await writeFile(at('stores/shadow/origin.json'), JSON.stringify(unfinished));
    await refused(here.run('promote', 'shadow'), 2, 'the replay into shadow is not finished');
  });

  test('refuses reserved and invalid names of stores, and ignores folders with such names', async () => {
    for (const name of ['live', 'Shadow', '../x']) {
      await refused(here.run('replay', ...GRAPH, '--into', name), 2, "expected a store's name");
    }
    await ok('replay', ...GRAPH, '--into', 'shadow');
    await mkdir(at('stores', 'shadow.old'), { recursive: true });
    const { err } = await here.run('compare', 'live', 'nothing', ...GRAPH);
    expect(err.join('\n')).toMatch(/main \(live\), shadow\b(?!\.old)/);
  });
});
