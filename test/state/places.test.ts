import { existsSync } from 'node:fs';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, expect, test } from 'vitest';
import { writeAside } from '../../src/state/json-file.ts';
import {
  makeLive,
  placeOf,
  readLive,
  reshardedName,
  stagingFolder,
  writeOrigin,
} from '../../src/state/places.ts';
import { freshFolder } from '../fresh-folder.ts';

let folder = '';
beforeEach(async () => {
  folder = await freshFolder();
});

test('a store made live twice keeps the previous store to go back to', async () => {
  const graph = { name: 'test', folder };
  await makeLive(graph, 'a', []);
  await makeLive(graph, 'a', ['dim=8']);
  expect(readLive(graph)).toMatchObject({ live: 'a', previous: 'main', set: ['dim=8'] });
});

test('a damaged live.json is refused with instructions to restore it, settings included', async () => {
  await writeFile(join(folder, 'live.json'), '');
  expect(() => readLive({ name: 'test', folder })).toThrow(
    /"live":"main".*"set" of stores\/NAME\/origin.json/,
  );
});

/** A file that nobody may read, root included. */
const UNREADABLE = '/proc/sys/vm/compact_memory';

test.skipIf(!existsSync(UNREADABLE))(
  'a live.json that may not be read is not to be written anew',
  async () => {
    await symlink(UNREADABLE, join(folder, 'live.json'));
    expect(() => readLive({ name: 'test', folder })).toThrow(
      expect.objectContaining({
        code: 'store-denied',
        message: expect.stringMatching(/^EACCES.*live\.json/),
      }),
    );
  },
);

test('a file in place of the folder has no live.json to be written', async () => {
  await writeFile(join(folder, 'file'), '');
  expect(readLive({ name: 'test', folder: join(folder, 'file') })).toMatchObject({ live: 'main', set: [] });
});

test('the error of an unwritable file names its path', async () => {
  await writeFile(join(folder, 'file'), '');
  await expect(writeAside(join(folder, 'file', 'live.json'), '')).rejects.toMatchObject({
    name: 'FatalError',
    code: 'store-write',
    message: expect.stringContaining(join(folder, 'file', 'live.json')),
  });
});

test('a store that was made for another number of shards is live with that number, until another is promoted', async () => {
  const whole = { name: 'test', folder };
  const shard = (count: number) => ({ ...whole, name: 'test-0', shard: { graph: 'test', index: 0, count } });
  const made = (count: number, from: 'reshard' | 'replay', since: string) =>
    writeOrigin(placeOf(whole, reshardedName(count)), { from, set: ['dim=8'], since });
  await made(4, 'reshard', '2026-01-01T00:00:00.000Z');
  await made(3, 'replay', '2026-01-01T00:00:00.000Z');
  expect(readLive(shard(4))).toMatchObject({ live: 'shards-4', previous: 'main', set: ['dim=8'] });
  for (const graph of [shard(2), shard(3), whole])
    expect(readLive(graph)).toMatchObject({ live: 'main', set: [] });

  await made(1, 'reshard', '2999-01-01T00:00:00.000Z');
  await makeLive(whole, 'shadow', []);
  expect(readLive(whole)).toMatchObject({ live: 'shards-1', previous: 'shadow' });
  await made(1, 'reshard', '2000-01-01T00:00:00.000Z');
  expect(readLive(whole)).toMatchObject({ live: 'shadow' });
});

test('what an interrupted reshard left is taken for no store, and the graph is not started from scratch', async () => {
  const graph = { name: 'test-2', folder, shard: { graph: 'test', index: 2, count: 4 } };
  await mkdir(stagingFolder(graph, reshardedName(4)), { recursive: true });
  expect(() => readLive(graph)).toThrow(
    expect.objectContaining({
      code: 'reshard',
      message: expect.stringContaining('Set the number of shards back'),
    }),
  );
  expect(readLive({ ...graph, shard: { ...graph.shard, count: 3 } })).toMatchObject({ live: 'main' });
});
