import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { makeLive, readLive, writeAside } from '../../src/state/places.ts';

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'twhin-places-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

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

test('the error of an unwritable file names its path', async () => {
  await writeFile(join(folder, 'file'), '');
  await expect(writeAside(join(folder, 'file', 'live.json'), '')).rejects.toMatchObject({
    name: 'FatalError',
    code: 'store-write',
    message: expect.stringContaining(join(folder, 'file', 'live.json')),
  });
});
