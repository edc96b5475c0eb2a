import { mkdir, readdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { writeBackup } from '../../src/backup/backup.ts';
import { checkTarget, graphsIn } from '../../src/backup/folder.ts';
import { freshFolder } from '../fresh-folder.ts';
import { filled } from '../graph/check/check-fixture.ts';
import { ABOUT } from './backup-fixture.ts';

let folder: string;
let dir = '';
let state = '';
beforeEach(async () => {
  folder = await freshFolder();
  dir = join(folder, 'backups');
  state = join(folder, 'state');
});

const nothing = () => false;
const refused = (reason: string) => ({
  name: 'UsageError',
  message: expect.stringContaining(reason),
});

describe('a folder for backups', () => {
  test('may be new, empty, or hold backups, interrupted ones too', async () => {
    await checkTarget(dir, state, ['test']);
    expect(await graphsIn(dir, nothing)).toEqual([]);
    await mkdir(dir);
    await checkTarget(dir, state, ['test']);
    await writeBackup(join(dir, 'test'), await filled(), ABOUT);
    await mkdir(join(dir, 'other'));
    await writeFile(join(dir, 'test', 'zst.partial'), '');
    await writeFile(join(dir, 'test', `${'0'.repeat(64)}.zst`), '');
    await writeFile(join(dir, 'test', `${'0'.repeat(64)}.checkpoint`), '');
    await writeFile(join(dir, 'test', 'backup.lock'), '');
    await checkTarget(dir, state, ['test']);
    expect(await graphsIn(dir, nothing)).toEqual(['test']);
  });

  test('is refused inside of the state folder, by any path', async () => {
    await mkdir(join(state, 'engagement'), { recursive: true });
    await symlink(join(state, 'engagement'), join(folder, 'link'));
    for (const inside of [
      state,
      join(state, 'backups'),
      join(state, 'x', '..', 'y', 'z'),
      join(folder, 'link'),
      join(folder, 'link', 'deep', 'er'),
    ]) {
      await expect(checkTarget(inside, state, ['test'])).rejects.toMatchObject(
        refused('is inside the state folder'),
      );
    }
    await checkTarget(join(folder, 'state-backups'), state, ['test']);
  });

  test('may hold other things, such as the folder in the root of a volume that nobody may read', async () => {
    await mkdir(join(dir, 'photos'), { recursive: true });
    await writeFile(join(dir, 'photos', 'a.jpg'), '');
    await writeFile(join(dir, 'notes.txt'), '');
    // Root may read every folder, but follows no link to itself.
    await symlink('lost+found', join(dir, 'lost+found'));
    await checkTarget(dir, state, ['test']);
    await writeBackup(join(dir, 'test'), await filled(), ABOUT);
    await checkTarget(dir, state, ['test']);
    expect(await graphsIn(dir, (name) => name === 'test')).toEqual(['test']);
  });

  test('is refused where the folder with the name of a graph can not be read', async () => {
    await mkdir(dir);
    await symlink('test', join(dir, 'test'));
    const unreadable = { code: 'backup-read', message: expect.stringContaining("test can't be read: ELOOP") };
    await expect(checkTarget(dir, state, ['test'])).rejects.toMatchObject(unreadable);
    await expect(graphsIn(dir, (name) => name === 'test')).rejects.toMatchObject(unreadable);
  });

  test('is refused where the folder with the name of a graph holds other files, which are not changed', async () => {
    for (const [path, named] of [
      ['test', 'test is in the way: it is a file'],
      ['test/a.jpg', 'test/a.jpg is in the way: no backup has such a file'],
      ['test/chunks/a.jpg', 'chunks is in the way: no backup has such a file'],
      ['test/manifest.json', 'manifest.json is in the way'],
    ] as const) {
      dir = join(folder, `dir-${path.replaceAll('/', '-')}`);
      await mkdir(join(dir, path, '..'), { recursive: true });
      await writeFile(join(dir, path), '{}');
      await expect(checkTarget(dir, state, ['test'])).rejects.toMatchObject(refused(named));
      expect(await readdir(join(dir, path, '..'))).toHaveLength(1);
    }
    await writeFile(join(folder, 'file'), '');
    await expect(checkTarget(join(folder, 'file'), state, ['test'])).rejects.toMatchObject(
      refused('it is a file'),
    );
  });

  test('is refused where an earlier format is, which stays as it is', async () => {
    await mkdir(join(dir, 'test', 'chunks'), { recursive: true });
    await writeFile(join(dir, 'test', 'manifest.json'), '{"format":1,"graph":"test"}');
    await expect(checkTarget(dir, state, ['test'])).rejects.toMatchObject(
      refused('has format 1, and this version reads format 6: restore it with the version that wrote it'),
    );
    expect(await readdir(join(dir, 'test'))).toEqual(['chunks', 'manifest.json']);
  });
});
