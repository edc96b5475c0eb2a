import promises, { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { join } from 'node:path';
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
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

  test('syncs the file before it is renamed, and the folder after that', async () => {
    const path = join(folder, 'a');
    const original = promises.open;
    onTestFinished(() => {
      promises.open = original;
      syncBuiltinESMExports();
    });
    const synced: [string, string[]][] = [];
    promises.open = async (name, ...how) => {
      const file = await original(name, ...how);
      const sync = file.sync.bind(file);
      file.sync = async () => {
        synced.push([String(name), await readdir(folder)]);
        await sync();
      };
      return file;
    };
    syncBuiltinESMExports();
    await writeAtomically(path, 'after', `${path}.part`);
    expect(synced).toEqual([
      [`${path}.part`, ['a.part']],
      [folder, ['a']],
    ]);
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
