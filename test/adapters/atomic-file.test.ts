import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { syncFolder, writeAtomically } from '../../src/adapters/atomic-file.ts';
import { freshFolder } from '../fresh-folder.ts';

let folder: string;
beforeEach(async () => {
  folder = await freshFolder();
});

describe('writeAtomically', () => {
  test('replaces a file, and leaves no partial file', async () => {
    const path = join(folder, 'a');
    await writeFile(path, 'before');
    await writeAtomically(path, 'after', `${path}.part`);
    expect([await readdir(folder), await readFile(path, 'utf8')]).toEqual([['a'], 'after']);
  });

  test('fails without a partial file where the path is a folder', async () => {
    const path = join(folder, 'a');
    await mkdir(join(path, 'b'), { recursive: true });
    await expect(writeAtomically(path, 'after', `${path}.part`)).rejects.toThrow(/rename/);
    expect(await readdir(folder)).toEqual(['a']);
  });
});

test('syncFolder syncs a folder, and fails where there is none', async () => {
  await syncFolder(folder);
  await expect(syncFolder(join(folder, 'none'))).rejects.toThrow(/ENOENT/);
});
