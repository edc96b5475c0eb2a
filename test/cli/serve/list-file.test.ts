import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { type EntityList, openLists } from '../../../src/cli/serve/candidates.ts';
import { entityKey } from '../../../src/graph/entity.ts';
import { freshFolder } from '../../fresh-folder.ts';
import { READERS_SKIPPED, readBack } from '../export/readers.ts';

const tweet = (id: number) => entityKey('tweet', String(id));
const LISTS: readonly EntityList[] = [
  {
    from: entityKey('user', 'ä b'),
    items: [
      { entity: tweet(7), score: -1 / 3, reason: { relation: 'likes', share: 1, score: -1 / 3 } },
      { entity: tweet(9), score: -6.25 },
    ],
    fallback: null,
  },
  { from: entityKey('user', 'nobody'), items: [], fallback: null },
  { from: entityKey('user', 'new'), items: [{ entity: tweet(1), score: null }], fallback: 'popular' },
];
async function written(name: string, lists: readonly EntityList[], parquet: boolean): Promise<string> {
  const path = join(await freshFolder(), name);
  await using file = await openLists(path, parquet);
  for (const list of lists) await file.add(list);
  await file.end();
  return path;
}

test('a line for each list, without reasons', async () => {
  const lines = (await readFile(await written('lists', LISTS, false), 'utf8')).trimEnd().split('\n');
  expect(lines.map((line) => JSON.parse(line))).toEqual(
    LISTS.map(({ from, items, fallback }) => ({
      from,
      items: items.map(({ entity, score }) => ({ entity, score })),
      fallback,
    })),
  );
});

test.skipIf(READERS_SKIPPED)('pyarrow reads a row for each entity of a list, in row groups', async () => {
  // More rows than two groups of 16,384 have.
  const long = {
    ...LISTS[0]!,
    items: Array.from({ length: 500 }, (_, i) => ({ entity: tweet(i), score: 0.5 - i })),
  };
  const path = await written('lists.parquet', [...LISTS, ...Array(66).fill(long)], true);
  const row = (from: string, rank: number, entity: string, score: number | null, fallback: string | null) => {
    return { from, rank, entity, score, fallback };
  };
  const read = Object(readBack('lists', path));
  expect([read.groups, read.rows]).toEqual([3, 3 + 66 * 500]);
  expect(read.schema).toEqual({
    from: 'string',
    rank: 'int32',
    entity: 'string',
    score: 'double',
    fallback: 'string',
  });
  expect(read.first).toEqual([
    row('user:ä b', 1, 'tweet:7', -1 / 3, null),
    row('user:ä b', 2, 'tweet:9', -6.25, null),
    row('user:new', 1, 'tweet:1', null, 'popular'),
    row('user:ä b', 1, 'tweet:0', 0.5, null),
  ]);
  expect(read.last).toEqual([row('user:ä b', 500, 'tweet:499', -498.5, null)]);
});

test.skipIf(!existsSync('/dev/full')).each([false, true])(
  'a full disk ends the writing (Parquet: %s)',
  async (parquet) => {
    const file = await openLists('/dev/full', parquet);
    const all = async () => {
      for (let i = 0; i < 3; i++) await file.add(LISTS[0]!);
      await file.end();
    };
    await expect(all()).rejects.toThrow(/ENOSPC/);
    await file[Symbol.asyncDispose]();
    await file[Symbol.asyncDispose]();
  },
);
