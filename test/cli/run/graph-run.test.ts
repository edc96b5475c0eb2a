import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, expect, test } from 'vitest';
import { realWorld } from '../../../src/cli/context.ts';
import { makeLive } from '../../../src/state/places.ts';
import { own, type Place, place, refused, succeeded } from '../captured.ts';
import { CONFIG, fill } from '../filled-place.ts';

const GRAPH = ['--graph', 'engagement'];
const UNTIL = ['run', ...GRAPH, '--until-caught-up'];
const LIKE = '{"userId":"u1","tweetId":"t1","action":"like","at":1704067200000}';

let here: Place;
/** Folders of the stores that were opened for writing, below that of the graph. */
let opened: string[];
let onClosed: (folder: string) => Promise<void>;
const at = (...path: string[]) => join(here.folder, 'state/engagement', ...path);
const stored = () => ({ name: 'engagement', folder: at() });

/** A graph with a replayed store beside its live one. */
beforeEach(async () => {
  opened = [];
  onClosed = async () => {};
  const openStore: typeof realWorld.openStore = async (folder, options) => {
    const store = await realWorld.openStore(folder, options);
    opened.push(folder);
    const close = store.close.bind(store);
    store.close = async () => {
      await close();
      await onClosed(folder);
    };
    return store;
  };
  here = await own(place({}, { ...realWorld, openStore }));
  await writeFile(join(here.folder, 'twhin.config.ts'), CONFIG);
  await fill(here, [LIKE]);
  await succeeded(here.run('replay', ...GRAPH, '--into', 'shadow'));
  opened = [];
});

test('a store that is no longer live once the store before has ended is not run', async () => {
  onClosed = async () => {
    onClosed = async () => {};
    await makeLive(stored(), 'main', []);
    await rm(at('stores/shadow'), { recursive: true });
  };
  const running = here.run('run', ...GRAPH);
  await expect.poll(() => opened).toHaveLength(1);
  await makeLive(stored(), 'shadow', []);
  await expect.poll(() => opened, { timeout: 20_000 }).toHaveLength(2);
  process.emit('SIGTERM');
  expect((await running).code).toBe(0);
  expect(opened).toEqual([at('db'), at('db')]);
});

test.each(['shadow', 'main'])('a run refuses a live store %s that is gone, and makes none', async (store) => {
  await succeeded(here.run('promote', 'shadow', ...GRAPH));
  if (store === 'main') await succeeded(here.run('promote', '--rollback', ...GRAPH));
  const folder = store === 'main' ? at('db') : at('stores/shadow');
  await rm(folder, { recursive: true });
  await refused(here.run(...UNTIL), 1, /\[store-missing\] .*promote --rollback/);
  expect(opened).toEqual([]);
  await succeeded(here.run('promote', '--rollback', ...GRAPH));
  await succeeded(here.run(...UNTIL));
});
