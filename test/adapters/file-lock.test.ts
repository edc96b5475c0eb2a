import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { withLock } from '../../src/adapters/file-lock.ts';
import { freshFolder } from '../fresh-folder.ts';

let folder: string;
beforeEach(async () => {
  folder = await freshFolder();
});

describe('a lock in a file', () => {
  test('admits one at a time, however many of the process want it at once', async () => {
    const path = join(folder, 'lock');
    let [inside, most, runs] = [0, 0, 0];
    const works = Array.from({ length: 400 }, () =>
      withLock(path, async () => {
        most = Math.max(most, ++inside);
        await new Promise((resolve) => setImmediate(resolve));
        inside--;
        runs++;
      }),
    );
    await Promise.all(works);
    expect([most, runs]).toEqual([1, 400]);
    expect(existsSync(path)).toBe(false);
  });

  test('is free again after work that failed', async () => {
    const path = join(folder, 'lock');
    const failing = withLock(path, async () => {
      throw new Error('no');
    });
    const next = withLock(path, async () => 'mine');
    await expect(failing).rejects.toThrow('no');
    expect(await next).toBe('mine');
  });

  test('of a dead process is taken over, even if that process had our number', async () => {
    for (const holder of [2 ** 30, process.pid]) {
      const path = join(folder, String(holder));
      await writeFile(path, String(holder));
      expect(await withLock(path, async () => 'mine')).toBe('mine');
    }
  });
});
