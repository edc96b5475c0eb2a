import { mkdir, readdir, rename, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { checkTarget, graphsIn } from '../../src/backup/folder.ts';
import { writeBackup } from '../../src/backup/write.ts';
import { filled } from '../graph/check/check-fixture.ts';
import { ABOUT, type Folder, folder } from './backup-fixture.ts';

let at: Folder;
let dir = '';
let state = '';
beforeEach(async () => {
  at = await folder();
  dir = join(at.path, 'backups');
  state = join(at.path, 'state');
});
afterEach(() => at.remove());

const refused = (reason: string) => ({
  name: 'UsageError',
  code: 'backup-folder',
  message: expect.stringContaining(reason),
});

describe('a folder for backups', () => {
  test('may be new, empty, or hold backups, interrupted ones too', async () => {
    await checkTarget(dir, state, ['test']);
    expect(await graphsIn(dir)).toEqual([]);
    await mkdir(dir);
    await checkTarget(dir, state, ['test']);
    await writeBackup(join(dir, 'test'), await filled(), ABOUT);
    await mkdir(join(dir, 'other', 'chunks'), { recursive: true });
    await writeFile(join(dir, 'test', 'chunks', `${'0'.repeat(64)}.part`), '');
    await writeFile(join(dir, 'test', 'backup.lock'), '');
    await checkTarget(dir, state, ['test']);
    expect(await graphsIn(dir)).toEqual(['test']);
  });

  test('is refused inside of the state folder, by any path', async () => {
    await mkdir(join(state, 'engagement'), { recursive: true });
    await symlink(join(state, 'engagement'), join(at.path, 'link'));
    for (const inside of [
      state,
      join(state, 'backups'),
      join(state, 'x', '..', 'y', 'z'),
      join(at.path, 'link'),
      join(at.path, 'link', 'deep', 'er'),
    ]) {
      await expect(checkTarget(inside, state, ['test'])).rejects.toMatchObject(
        refused('is inside the state folder'),
      );
    }
    await checkTarget(join(at.path, 'state-backups'), state, ['test']);
  });

  test('is refused where it holds other files, which are not changed', async () => {
    for (const [path, named] of [
      ['notes.txt', 'notes.txt is in the way: it is a file'],
      ['photos/a.jpg', 'photos/a.jpg is in the way: no backup has such a file'],
      ['test/chunks/a.jpg', 'a.jpg is in the way: no backup has such a file'],
      ['test/manifest.json', 'manifest.json is in the way'],
    ] as const) {
      dir = join(at.path, `dir-${path.replaceAll('/', '-')}`);
      await mkdir(join(dir, path, '..'), { recursive: true });
      await writeFile(join(dir, path), '{}');
      await expect(checkTarget(dir, state, ['test'])).rejects.toMatchObject(refused(named));
      expect(await readdir(join(dir, path, '..'))).toHaveLength(1);
    }
    await writeFile(join(at.path, 'file'), '');
    await expect(checkTarget(join(at.path, 'file'), state, ['test'])).rejects.toMatchObject(
      refused('it is a file'),
    );
  });

  test('is refused where the folder of a graph holds the backup of another graph', async () => {
    await writeBackup(join(dir, 'test'), await filled(), ABOUT);
    await rename(join(dir, 'test'), join(dir, 'follow'));
    await expect(checkTarget(dir, state, ['follow'])).rejects.toMatchObject(
      refused('is of the graph test, not of follow'),
    );
  });
});
