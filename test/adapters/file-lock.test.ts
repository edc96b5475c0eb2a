import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { withLock } from '../../src/adapters/file-lock.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'twhin-lock-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

describe('a lock in a file', () => {
  test('is for one at a time within a process too, and gone afterwards', async () => {
    const path = join(folder, 'lock');
    const told: string[] = [];
    const first = Promise.withResolvers<void>();
    const one = withLock(path, async () => {
      told.push('one begins');
      await first.promise;
      told.push('one ends');
    });
    const other = withLock(path, async () => told.push('other'));
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(told).toEqual(['one begins']);
    first.resolve();
    await Promise.all([one, other]);
    expect(told).toEqual(['one begins', 'one ends', 'other']);
    expect(existsSync(path)).toBe(false);
  });

  test('of a process that is dead is taken over, also of one that had this process’s number', async () => {
    for (const holder of [2 ** 30, process.pid]) {
      const path = join(folder, String(holder));
      await writeFile(path, String(holder));
      expect(await withLock(path, async () => 'mine')).toBe('mine');
    }
  });
});
