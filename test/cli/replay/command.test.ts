import { existsSync } from 'node:fs';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { LogPartition, writeTopic } from '../../../src/adapters/file-log/partition.ts';
import { reproducible } from '../../../src/kernels/select.ts';
import { json, type Place, place, refused, type Said } from '../captured.ts';
import { fill } from '../filled-place.ts';

const AT = 1_704_067_200_000;
const LIKES = Array.from({ length: 40 }, (_, i) => ({
  ...{ userId: `u${i % 7}`, tweetId: `t${i % 5}`, action: i % 9 === 0 ? 'unlike' : 'like' },
  at: AT + 1000 * i,
}));
const CONFIG = 'export default { model: { dim: 8 }, limits: { maxEntities: 1000 } };';

/** A place where a stream was fed and read. */
let here: Place;
beforeAll(async () => {
  here = await place();
  await writeFile(join(here.folder, 'twhin.config.ts'), CONFIG);
  await fill(here, [...LIKES.map((like) => JSON.stringify(like)), 'no event'], '--raw');
});
afterAll(() => here.remove());

const replay = (...argv: string[]): Promise<Said> => here.run('replay', '--graph', 'engagement', ...argv);

describe('twhin replay', () => {
  test('has the edges of the live store, and the same digest each time, with either kernel', async () => {
    const stats = await here.run('stats', '--graph', 'engagement', '--json', '--digest');
    const live = JSON.parse(stats.out[0] ?? '').graphs.engagement;
    const said = await Promise.all([
      replay('--into', 'one', '--json'),
      replay('--into', 'two', '--json'),
      replay('--into', 'three', '--set', 'kernel=reference', '--json'),
      replay('--into', 'four', '--set', 'kernel=reference', '--json'),
      replay('--into', 'five', '--set', 'kernel=wasm-plain', '--json'),
      replay('--into', 'six', '--set', 'threads=2', '--json'),
    ]);
    expect(said.map(({ code }) => code)).toEqual([0, 0, 0, 0, 0, 0]);
    const [one, two, three, four, five, six] = said.map((each) => JSON.parse(each.out.at(-1) ?? ''));
    expect(one).toMatchObject({
      ...{ graph: 'engagement', into: 'one', from: 'earliest', until: 'latest', set: [], publish: null },
      ...{ events: 41, rejected: 1, reasons: { 'not-json': 1 }, edges: { likes: live.edges.likes } },
    });
    expect(one.digest.edges).toBe(live.digest.edges);
    expect(one.seconds).toBeGreaterThan(0);
    expect(two.digest).toEqual(one.digest);
    expect(two.stores[0].step).toBe(one.stores[0].step);
    // The plain build is another one where the processor fuses multiply and add.
    expect(five.digest.edges).toBe(one.digest.edges);
    expect(five.digest.vectors === one.digest.vectors).toBe(reproducible('wasm') === 'wasm-plain');
    // Nor more than one thread.
    expect(six.digest).toEqual(one.digest);
    expect(three.digest).toEqual(four.digest);
    expect(three.digest.edges).toBe(one.digest.edges);
    expect(three.set).toEqual(['kernel=reference']);
  });

  test('a finished replay is reported with its digest and is not read again', async () => {
    const first = JSON.parse((await replay('--into', 'done', '--json')).out[0] ?? '');
    const again = await replay('--into', 'done', '--json');
    expect(again.code).toBe(0);
    expect(again.err.join()).toMatch(/^done was finished at 20.*; nothing was read again$/);
    const { seconds: _, reasons: __, ...rest } = first;
    expect(json(again)).toEqual(rest);
    const text = await replay('--into', 'done');
    expect(text.out[0]).toBe(
      `engagement replayed into done  (${join(here.folder, 'state/engagement/stores/done')})`,
    );
    expect(text.out.at(-1)).toBe(
      `  digest      edges ${first.digest.edges}, vectors ${first.digest.vectors}`,
    );
  });

  test('other options for the same store are refused, with both values; --restart starts from scratch', async () => {
    const first = JSON.parse((await replay('--into', 'changed', '--json')).out[0] ?? '');
    const other = await replay('--into', 'changed', '--from', '2h', '--set', 'seed=5', '--publish', 'shadow');
    expect([other.code, other.out]).toEqual([2, []]);
    expect(other.err).toEqual([
      'twhin: --into: changed is a replay that was asked something else:',
      '  --from: it has earliest, seen 2h',
      '  --publish: it has nothing, seen shadow',
      '  settings over the configuration: it has none, seen seed=5',
      'Ask the same again to go on with it; give another name, or start from scratch with --restart',
    ]);
    const anew = await replay('--into', 'changed', '--set', 'seed=5', '--restart', '--json');
    expect(anew.code).toBe(0);
    const { digest } = JSON.parse(anew.out[0] ?? '');
    expect(digest.edges).toBe(first.digest.edges);
    expect(digest.vectors).not.toBe(first.digest.vectors);
  });

  test('a replay that was killed before it wrote its record starts from scratch', async () => {
    const { digest } = JSON.parse((await replay('--into', 'one', '--json')).out[0] ?? '');
    await mkdir(join(here.folder, 'state/engagement/stores/begun/db'), { recursive: true });
    const said = await replay('--into', 'begun', '--json');
    expect([said.code, said.err]).toEqual([0, []]);
    expect(JSON.parse(said.out[0] ?? '').digest).toEqual(digest);
  });

  test('refuses a topic beside which the one for relation vectors has records of somebody else', async () => {
    await writeTopic(join(here.folder, 'log'), { name: 'web.model', partitions: 1, configs: {} });
    const foreign = { timestamp: 1, key: null, value: Buffer.from('theirs'), headers: {} };
    await new LogPartition(join(here.folder, 'log'), 'web.model', 0).append([foreign]);
    const said = /^twhin: --publish: web\.model is not empty: web\.model\/0 has vectors of another.*$/;
    await refused(replay('--into', 'beside', '--publish', 'web', '--json'), 2, said);
  });

  test('refuses a topic with vectors of another replay, and a topic that was deleted', async () => {
    const into = (name: string, ...more: string[]) =>
      replay('--into', name, '--publish', 'shadow.own', '--json', ...more);
    expect((await into('first')).code).toBe(0);
    const taken =
      /^twhin: --publish: shadow\.own is not empty: shadow\.own\/\d has vectors of another .* give another topic.*$/;
    await refused(into('second'), 2, taken);
    expect(existsSync(join(here.folder, 'state/engagement/stores/second'))).toBe(false);
    await refused(into('first', '--restart'), 2, taken);
    // Refused before anything of it is removed.
    const store = join(here.folder, 'state/engagement/stores/first');
    expect((await into('first')).err.join()).toMatch(/first was finished at/);

    // Its own vectors are no reason to refuse it, while it is not through.
    const path = join(store, 'origin.json');
    const origin = JSON.parse(await readFile(path, 'utf8'));
    const unfinished = JSON.stringify({ ...origin, replay: { ...origin.replay, finished: null } });
    await writeFile(path, unfinished);
    expect((await into('first')).code).toBe(0);
    await writeFile(path, unfinished);
    await rm(join(here.folder, 'log/shadow.own'), { recursive: true });
    await refused(into('first'), 2, /shadow\.own was deleted since.*--restart$/);
    expect((await into('first', '--restart')).code).toBe(0);
  });
});

describe('a replay that is refused', () => {
  test.each<[argv: string[], ...lines: RegExp[]]>([
    [[], /^ +--into: expected a name for the replay's store, such as shadow; seen nothing$/],
    [['--into', 'main'], /^ +--into: main is the live store of engagement/],
    [['--into', 'Ü'], /^ +expected a store's name of .*seen "Ü"$/],
    [['--into', 'a', '--from', 'x', '--until', 'y'], /^ +--from: .*seen "x"$/, /^ +--until: .*seen "y"$/],
    [['--into', 'a', '--set', 'dim'], /^ +--set: expected key=value, such as dim=64, seen "dim"$/],
    [['--into', 'a', '--set', 'state=/tmp'], /^ +--set: events and stores stay where .*seen "state=\/tmp"$/],
    [
      ['--into', 'a', '--set', ' state = /tmp'],
      /^ +--set: events and stores stay where .*seen " state = \/tmp"$/,
    ],
    [['--into', 'a', '--set', 'dim=0'], /^ +the configuration has 1 problem/, /^ +model\.dim: .*seen 0$/],
    [
      ['--into', 'a', '--publish', 'twhin.embeddings.follow'],
      /^ +--publish: twhin\.embeddings\.follow belongs to a live graph/,
    ],
    [['--into', 'a', '--publish', 'engagement'], /^ +--publish: twhin\.engagement belongs to a live graph/],
    [['--into', 'a', '--publish', '__x'], /^ +--publish: expected a topic's name .*seen "__x"$/],
    [['--into', 'a', '--from', '1h', '--until', '2h'], /^ +--until: expected a time after that of --from/],
    [['--into', 'a', '--from', 'search/4:0'], /^ +--from: twhin\.search has 4 partitions, 0 to 3; seen 4$/],
  ])('%j', async (argv, ...lines) => {
    const { code, out, err } = await replay(...argv);
    expect([code, out]).toEqual([2, []]);
    expect(err.length).toBe(1 + lines.length);
    for (const [i, line] of lines.entries()) expect(err[i + 1]).toMatch(line);
    expect(existsSync(join(here.folder, 'state/engagement/stores/a'))).toBe(false);
  });

  test('without a graph, or with an unknown graph', async () => {
    for (const argv of [[], ['--graph', 'likes']]) {
      const { code, err } = await here.run('replay', ...argv, '--into', 'a');
      expect(code).toBe(2);
      expect(err[0]).toBe(
        `twhin: --graph: expected one of engagement, follow; seen ${argv[1] ? '"likes"' : 'nothing'}`,
      );
    }
  });

  test('over a store that was run on after its range', async () => {
    await replay('--into', 'beyond');
    const path = join(here.folder, 'state/engagement/stores/beyond/origin.json');
    const origin = JSON.parse(await readFile(path, 'utf8'));
    const range = origin.replay.range.map((each: { until: number }) => ({
      ...each,
      until: Math.max(0, each.until - 1),
    }));
    await writeFile(path, JSON.stringify({ ...origin, replay: { ...origin.replay, range } }));
    await refused(replay('--into', 'beyond'), 2, /beyond was run on after its replay: .*--restart$/);
  });

  test('over a store that was not made by a replay', async () => {
    await replay('--into', 'foreign');
    const origin = join(here.folder, 'state/engagement/stores/foreign/origin.json');
    await writeFile(origin, '{}');
    await refused(
      replay('--into', 'foreign'),
      1,
      /origin\.json can't be read: .*remove .*foreign, and make the store again/s,
    );
    await rm(origin);
    for (const more of [[], ['--restart']]) {
      await refused(replay('--into', 'foreign', ...more), 2, /holds no store of a replay/);
    }
  });

  test.each([[[]], [['--restart']]])(
    'over a folder of something else, and over a store that was restored: %j',
    async (more) => {
      const stores = join(here.folder, 'state/engagement/stores');
      const origin = { from: 'backup', set: [], since: '2026-01-01T00:00:00.000Z' };
      for (const [name, file, content] of [
        ['notes', 'mine.txt', 'mine'],
        // Its database can't be opened.
        ['saved', 'origin.json', JSON.stringify(origin)],
      ] as const) {
        await mkdir(join(stores, name, 'db'), { recursive: true });
        if (name === 'notes') await rm(join(stores, name, 'db'), { recursive: true });
        await writeFile(join(stores, name, file), content);
        await refused(replay('--into', name, ...more), 2, /holds no store of a replay/);
        expect(await readFile(join(stores, name, file), 'utf8')).toBe(content);
      }
    },
  );
});
