import { spawnSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Runner } from '../../../src/cli/replay/runner.ts';

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'twhin-runner-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const hold = (pid: number, host = hostname()) =>
  writeFile(join(folder, 'holder.json'), JSON.stringify({ pid, host, since: '' }));
/** Number of a process that was. */
const ended = () => spawnSync(process.execPath, ['--version']).pid;

describe('the process that runs a graph', () => {
  test('is gone once it has ended and none took its place for 10 s', async () => {
    let now = 0;
    await hold(ended());
    const runner = new Runner({ name: 'test', folder }, () => now);
    expect(runner.gone()).toBe(false);
    now = 9_999;
    expect(runner.gone()).toBe(false);
    now = 10_000;
    expect(runner.gone()).toBe(true);
  });

  test('is not gone when it was started again, and then ends', async () => {
    let now = 0;
    await hold(ended());
    const runner = new Runner({ name: 'test', folder }, () => now);
    runner.gone();
    now = 9_000;
    await hold(process.pid);
    expect(runner.gone()).toBe(false);
    await hold(ended());
    now = 12_000;
    // It is the one that lives that is watched, not whoever had the store before.
    expect(runner.gone()).toBe(false);
  });

  test('is never known to be gone from another machine, or without a name', async () => {
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
