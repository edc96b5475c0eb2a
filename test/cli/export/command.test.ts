import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { own, type Place, type Said } from '../captured.ts';
import { emptyPlace, filledPlace } from '../filled-place.ts';
import { READERS_SKIPPED, readBack } from './readers.ts';

/** A place with 40 users and 17 tweets, whose vectors have 8 numbers. */
let here: Place;
beforeAll(async () => {
  here = await filledPlace();
});
afterAll(() => here.remove());

const said = ({ out, err }: Said) => [...out, ...err].join('\n');
const exported = async (name: string, ...options: string[]) => {
  const folder = join(here.folder, name);
  const result = await here.run('export', '--graph', 'engagement', '--out', folder, ...options);
  return { folder, result };
};
/** The numbers of a .npy of so many rows. */
async function numbersOf(path: string, rows: number): Promise<number[][]> {
  const bytes = await readFile(path);
  const end = 10 + bytes.readUInt16LE(8);
  expect(bytes.subarray(10, end).toString('latin1')).toContain(`'shape': (${rows}, 8)`);
  expect(bytes.length).toBe(end + rows * 8 * 4);
  return Array.from({ length: rows }, (_, row) =>
    Array.from({ length: 8 }, (_, k) => bytes.readFloatLE(end + 4 * (8 * row + k))),
  );
}
const shown = async (entity: string): Promise<number[]> => {
  const { out } = await here.run('show', entity, '--graph', 'engagement', '--json');
  return Object(JSON.parse(out.join('\n'))).vector;
};

describe('twhin export', () => {
  test('npy: the vectors of each type with their names, the relations, and how to score', async () => {
    const { folder, result } = await exported('npy');
    expect([result.code, said(result)]).toEqual([0, `57 vectors of engagement in ${folder}`]);
    const files = (await readdir(folder)).sort();
    expect(files).toEqual(
      expect.arrayContaining(['model.json', 'reciprocals.npy', 'relations.npy', 'tweet.npy', 'user.txt']),
    );
    const users = await numbersOf(join(folder, 'user.npy'), 40);
    const names = (await readFile(join(folder, 'user.txt'), 'utf8')).trimEnd().split('\n');
    expect(names).toHaveLength(40);
    for (const name of ['user:u0', 'user:u39']) expect(users[names.indexOf(name)]).toEqual(await shown(name));
    expect(await numbersOf(join(folder, 'ad.npy'), 0)).toEqual([]);
    const model = Object(JSON.parse(await readFile(join(folder, 'model.json'), 'utf8')));
    expect(model).toMatchObject({ graph: 'engagement', dim: 8, scorer: 'transe', norm: 2, scale: 9 });
    const relations = (await readFile(join(folder, 'relations.txt'), 'utf8')).trimEnd().split('\n');
    expect(model.relations.map(({ name }: { name: string }) => name)).toEqual(relations);
    expect(await numbersOf(join(folder, 'relations.npy'), relations.length)).not.toContainEqual(
      (await numbersOf(join(folder, 'reciprocals.npy'), relations.length))[0],
    );
  });

  test.skipIf(READERS_SKIPPED)('numpy and pyarrow read the same vectors from each format', async () => {
    const options = [
      ['--format', 'npy'],
      ['--format', 'parquet'],
      ['--format', 'npy', '--pq', '4'],
      ['--format', 'parquet', '--pq', '2'],
    ];
    const folders: string[] = [];
    for (const each of options) {
      const { folder, result } = await exported(`read${each.join('')}`, ...each, '--type', 'user');
      expect(said(result)).toBe(`40 vectors of engagement in ${folder}`);
      folders.push(folder);
    }
    const vectors: Record<string, number[]> = {};
    for (let i = 0; i < 40; i++) vectors[`user:u${i}`] = await shown(`user:u${i}`);
    // Of 40 entities, all are centroids: the codes lose nothing.
    expect(readBack('vectors', ...folders, 'user')).toEqual({
      npy: { dtype: 'float32', vectors },
      parquet: { dtype: 'list<element: float not null>', vectors },
      'codes npy': { dtype: 'uint8', vectors },
      'codes parquet': { dtype: 'fixed_size_binary[2]', vectors },
    });
    expect(await readdir(folders[2]!)).toEqual(
      expect.arrayContaining(['user.codes.npy', 'user.codebooks.npy', 'user.txt', 'model.json']),
    );
    expect(await readdir(folders[2]!)).not.toContain('user.npy');
  });

  test('refuses parts that do not divide the vectors, and unknown formats', async () => {
    const { result: uneven } = await exported('uneven', '--pq', '3');
    expect([uneven.code, said(uneven)]).toEqual([
      2,
      expect.stringContaining('8 numbers are cut into equal parts, 1, 2, 4, 8 of them; seen 3'),
    ]);
    const { result: unknown } = await exported('arrow', '--format', 'arrow');
    expect([unknown.code, said(unknown)]).toEqual([2, expect.stringContaining('npy, parquet')]);
    const left = (await readdir(here.folder)).filter((name) => /^(uneven|arrow)/.test(name));
    expect(left).toEqual([]);
  });

  test.each([['npy'], ['parquet'], ['parquet', '--pq', '4']])(
    'leaves nothing when it is interrupted: %s %s',
    async (...options) => {
      const before = process.listenerCount('SIGINT');
      const running = exported('interrupted', '--format', ...options);
      // As soon as the command line listens, which is before it reads the first vector.
      while (process.listenerCount('SIGINT') === before) await setImmediate();
      process.emit('SIGINT', 'SIGINT');
      const { result } = await running;
      expect([result.code, said(result)]).toEqual([
        1,
        expect.stringContaining('[interrupted] interrupted by SIGINT'),
      ]);
      const left = (await readdir(here.folder)).filter((name) => name.startsWith('interrupted'));
      expect(left).toEqual([]);
    },
  );

  test('refuses a folder that holds something, an unknown type, and a graph without a store; nothing is left', async () => {
    const filled = join(here.folder, 'filled');
    await mkdir(filled);
    await writeFile(join(filled, 'mine'), 'mine');
    const { result } = await exported('filled');
    expect([result.code, said(result)]).toEqual([
      2,
      expect.stringContaining(`--out: ${filled} is not empty`),
    ]);
    const { result: unknown, folder } = await exported('unknown', '--type', 'cat');
    expect([unknown.code, said(unknown)]).toEqual([
      2,
      expect.stringContaining('expected one of user, tweet'),
    ]);
    expect(await readdir(here.folder)).not.toContain('unknown');
    const { result: nowhere } = await exported('filled/mine/vectors');
    expect([nowhere.code, said(nowhere)]).toEqual([2, expect.stringContaining("can't be written")]);
    const there = await own(emptyPlace(here));
    const none = await there.run('export', '--graph', 'engagement', '--out', folder);
    expect([none.code, said(none)]).toEqual([1, expect.stringContaining('there is no store of engagement')]);
  });
});
