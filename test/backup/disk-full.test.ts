import { spawnSync } from 'node:child_process';
import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { writeBackup } from '../../src/backup/backup.ts';
import { readManifest } from '../../src/backup/manifest.ts';
import { filled } from '../graph/check/check-fixture.ts';
import { ABOUT, everything, type Folder, folder, large, read } from './backup-fixture.ts';

let at: Folder;
let mounted: string | undefined;
beforeEach(async () => {
  at = await folder();
});
afterEach(async () => {
  if (mounted !== undefined) spawnSync('umount', ['-l', mounted]);
  mounted = undefined;
  await at.remove();
});

test('a backup on a full disk fails with the reason, and the previous backup is unchanged', async ({
  skip,
}) => {
  const small = join(at.path, 'small');
  await mkdir(small);
  const mount = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=9m', 'tmpfs', small], { encoding: 'utf8' });
  if (mount.status !== 0) {
    skip(`a small disk can't be mounted here: ${mount.error?.message ?? mount.stderr}`);
    return;
  }
  mounted = small;
  const before = await filled();
  const manifest = await writeBackup(small, before, ABOUT);
  await expect(writeBackup(small, await large(), ABOUT)).rejects.toMatchObject({
    name: 'FatalError',
    code: 'backup-write',
    message: expect.stringMatching(/small can't be written: .*(no space|ENOSPC)/),
  });
  expect(await readManifest(small, 'test')).toEqual(manifest);
  expect(await read(small, manifest)).toEqual(await everything(before));
  expect((await readdir(small)).filter((name) => name.endsWith('.partial'))).toEqual([]);
});
