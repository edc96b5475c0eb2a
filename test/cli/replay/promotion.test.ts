import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { realWorld } from '../../../src/cli/context.ts';
import { terminal } from '../../../src/cli/output.ts';
import { promoteStore, Runner, waitingSince } from '../../../src/cli/replay/promotion.ts';
import { loadConfig } from '../../../src/config/load.ts';
import { FatalError } from '../../../src/errors/errors.ts';
import { silentLog } from '../../../src/log.ts';
import { placeOf } from '../../../src/state/places.ts';
import { commitOf, entity, graph, HEAD, part, user } from '../../graph/graph-fixture.ts';

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'twhin-promotion-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

test('a live store that this user may not open is not damaged: the promotion fails, changes nothing and leaves no request', async () => {
  const config = await loadConfig({ TWHIN_STATE: folder }, folder);
  const follow = config.graphs.find(({ name }) => name === 'follow');
  if (follow === undefined) throw new Error('no graph follow');
  await mkdir(join(follow.folder, 'db'), { recursive: true });
  const openStore: typeof realWorld.openStore = async () => {
    throw new FatalError('store-denied', 'Permission denied');
  };
  const { signal: stopping } = new AbortController();
  const context = { world: { ...realWorld, openStore }, output: terminal, stopping };
  await expect(promoteStore(follow, placeOf(follow, 'shadow'), [], context, silentLog)).rejects.toMatchObject(
    { code: 'store-denied' },
  );
  for (const file of ['promote.json', 'live.json']) expect(existsSync(join(follow.folder, file))).toBe(false);
});

test('vectors that did not move after the swap, and tombstones, count as waiting', async () => {
  const store = graph();
  const [before, at, after, quiet] = [user('before'), user('at'), user('after'), user('quiet')];
  const put = (row: number, step: number) =>
    store.commit(commitOf({ head: { ...HEAD, step }, vectors: { [row]: [1, 2, 3, 4] } }));
  await put(4, 6);
  await put(5, 7);
  await put(6, 8);
  await put(7, 6);
  await store.commit(
    commitOf({
      entities: [entity(before, 4), entity(at, 5), entity(after, 6), entity(quiet, 7)],
      outboxAdded: [part(1, before, at), part(2, after, before, user('erased'))],
    }),
  );
  expect(await waitingSince(store, 7)).toBe(3);
  await store.commit(commitOf({ outboxCleared: [part(1), part(2)], outboxAdded: [part(3, after)] }));
  expect(await waitingSince(store, 7)).toBe(0);
});

const hold = (pid: number, host = hostname()) =>
  writeFile(join(folder, 'holder.json'), JSON.stringify({ pid, host, since: '' }));
/** Number of a process that has ended. */
const ended = () => spawnSync(process.execPath, ['--version']).pid;

describe('the process that runs a graph', () => {
  test('is gone when it has ended and no process took its place for 10 s', async () => {
    let now = 0;
    await hold(ended());
    const runner = new Runner({ name: 'test', folder }, () => now);
    expect(runner.gone()).toBe(false);
    now = 9_999;
    expect(runner.gone()).toBe(false);
    now = 10_000;
    expect(runner.gone()).toBe(true);
  });

  test('is not gone while a restarted process has ended for less than 10 s', async () => {
    let now = 0;
    await hold(ended());
    const runner = new Runner({ name: 'test', folder }, () => now);
    runner.gone();
    now = 9_000;
    await hold(process.pid);
    expect(runner.gone()).toBe(false);
    await hold(ended());
    now = 12_000;
    // The restarted process counts, not the process that had the store before.
    expect(runner.gone()).toBe(false);
  });

  test('never counts as gone if it is on another machine or left no name', async () => {
    let now = 0;
    const nameless = new Runner({ name: 'test', folder }, () => now);
    await hold(ended(), 'elsewhere');
    const far = new Runner({ name: 'test', folder }, () => now);
    const gone = () => [nameless.gone(), far.gone()];
    expect(gone()).toEqual([false, false]);
    now = 1e9;
    expect(gone()).toEqual([false, false]);
  });
});
