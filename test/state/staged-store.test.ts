import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { Layout } from '../../src/graph/layout.ts';
import { makeLive, placeOf, readLive, readOrigin } from '../../src/state/places.ts';
import { StagedStore } from '../../src/state/staged-store.ts';
import { freshFolder } from '../fresh-folder.ts';
import { MODEL } from '../graph/graph-fixture.ts';

const ORIGIN = { from: 'backup', set: ['dim=9'], since: '2026-01-01T00:00:00.000Z' } as const;

/** A first store that is made and has not been put in place. */
async function staged() {
  const graph = { name: 'test', folder: await freshFolder() };
  const store = new StagedStore(graph, placeOf(graph, 'main'));
  await (await store.open(new Layout(MODEL))).close();
  return { graph, settle: () => store.settle({ ...ORIGIN, set: [...ORIGIN.set] }) };
}

test('a first store that was made meanwhile keeps its settings', async () => {
  const { graph, settle } = await staged();
  await mkdir(join(graph.folder, 'db'));
  await writeFile(join(graph.folder, 'db', 'CURRENT'), '');
  await expect(settle()).rejects.toThrow(/another store made there meanwhile\? Nothing there was changed/);
  expect(readLive(graph)).toMatchObject({ live: 'main', set: [] });
  expect(readOrigin(placeOf(graph, 'main'))).toBeUndefined();
});

test('a place that cannot be written is not taken for another store', async () => {
  const { graph, settle } = await staged();
  await mkdir(join(graph.folder, 'origin.json'));
  await expect(settle()).rejects.toMatchObject({ name: 'FatalError', code: 'store-write' });
});

test('a first store takes no promotion back that came meanwhile', async () => {
  const { graph, settle } = await staged();
  await makeLive(graph, 'shadow', []);
  await settle();
  expect(readLive(graph)).toMatchObject({ live: 'shadow', set: [] });
  expect(readOrigin(placeOf(graph, 'main'))).toMatchObject(ORIGIN);
  expect(existsSync(join(graph.folder, 'db', 'CURRENT'))).toBe(true);
});
