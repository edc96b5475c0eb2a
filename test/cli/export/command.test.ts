import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { count } from '../../../src/cli/format.ts';
import { own, type Place, refused, succeeded, text } from '../captured.ts';
import { filledPlace } from '../filled-place.ts';
import { READERS_SKIPPED, readBack } from './readers.ts';

/** A place with 40 users and 17 tweets, whose vectors have 8 numbers. */
let here: Place;
beforeAll(async () => {
  here = await filledPlace();
});
afterAll(() => here.remove());

const asked = (name: string, ...options: string[]) =>
  here.run('export', '--graph', 'engagement', '--out', join(here.folder, name), ...options);
/** The folder of vectors that were exported. */
const exported = async (vectors: number, name: string, ...options: string[]) => {
  const folder = join(here.folder, name);
  const said = text(await succeeded(asked(name, ...options)));
  const { step } = JSON.parse(await readFile(join(folder, 'model.json'), 'utf8'));
  expect(step).toBeGreaterThan(0);
  const [vectorsOf, asOf] = said.split(', as of ');
  expect(vectorsOf).toBe(`${vectors} vectors of engagement in ${folder}`);
  expect(asOf).toMatch(RegExp(`^step ${count(step)}, [\\d.]+ (s|min) ago$`));
  return folder;
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
    const folder = await exported(57, 'npy');
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
    for (const each of options)
      folders.push(await exported(40, `read${each.join('')}`, ...each, '--type', 'user'));
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

  test('a folder that is named with a slash at its end, and a type that is named twice', async () => {
    await exported(40, 'slash/', '--type', 'user', '--type', 'user');
    expect(await readdir(join(here.folder, 'slash'))).toHaveLength(6);
  });

  test('a store with settings of its own as it was trained, and none of another model', async () => {
    const there = await own(filledPlace());
    const graph = ['--graph', 'engagement'];
    await succeeded(there.run('replay', ...graph, '--into', 'small', '--set', 'dim=4', '--set', 'beta=5'));
    await succeeded(there.run('promote', 'small', ...graph));
    const folder = join(there.folder, 'small');
    await succeeded(there.run('export', ...graph, '--out', folder));
    expect((await readFile(join(folder, 'user.npy'))).toString('latin1')).toContain("'shape': (40, 4)");
    const model = JSON.parse(await readFile(join(folder, 'model.json'), 'utf8'));
    expect(model).toMatchObject({ dim: 4, scale: 5 });
    await succeeded(there.run('promote', '--rollback', ...graph));
    await writeFile(join(there.folder, 'other.config.ts'), 'export default { model: { dim: 16 } };');
    const other = there.configured('other.config.ts')(
      'export',
      ...graph,
      '--out',
      join(there.folder, 'other'),
    );
    await refused(other, 1, 'another model', 'dim: the store has 8, the configuration 16');
  });

  test.each([['npy'], ['parquet'], ['parquet', '--pq', '4']])(
    'leaves nothing when it is interrupted: %s %s',
    async (...options) => {
      const before = process.listenerCount('SIGINT');
      const running = asked('interrupted', '--format', ...options);
      // As soon as the command line listens, which is before it reads the first vector.
      while (process.listenerCount('SIGINT') === before) await setImmediate();
      process.emit('SIGINT', 'SIGINT');
      await refused(running, 1, '[interrupted] interrupted by SIGINT');
      const left = (await readdir(here.folder)).filter((name) => name.startsWith('interrupted'));
      expect(left).toEqual([]);
    },
  );

  test('refuses a folder that holds something, uneven parts, and unknown types and formats; nothing is left', async () => {
    const filled = join(here.folder, 'filled');
    await mkdir(filled);
    await writeFile(join(filled, 'mine'), 'mine');
    await refused(asked('filled'), 2, `--out: ${filled} is not empty`);
    await refused(asked('unknown', '--type', 'cat'), 2, 'expected one of user, tweet');
    const parts = '8 numbers are cut into equal parts, 1, 2, 4, 8 of them; seen 3';
    await refused(asked('unknown', '--pq', '3'), 2, parts);
    await refused(asked('unknown', '--format', 'arrow'), 2, 'npy, parquet');
    const left = (await readdir(here.folder)).filter((name) => name.startsWith('unknown'));
    expect(left).toEqual([]);
    await refused(asked('filled/mine/vectors'), 2, "can't be written");
  });
});
