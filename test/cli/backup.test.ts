import { mkdir, readdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { json, type Place, refused, succeeded } from './captured.ts';
import { filledPlace } from './filled-place.ts';

/** A place where a stream was fed and read, and a backup of it. */
let here: Place;
let dir = '';
beforeAll(async () => {
  here = await filledPlace();
  dir = join(here.folder, 'backups');
  expect((await here.run('backup', dir)).code).toBe(0);
});
afterAll(() => here.remove());

describe('twhin backup', () => {
  test('--json reports what was backed up', async () => {
    const again = await here.run('backup', dir, '--graph', 'engagement', '--json');
    expect(again.code).toBe(0);
    const { graphs } = json(again) as { graphs: Record<string, { offsets: object }> };
    expect(graphs).toEqual({
      engagement: {
        store: 'main',
        at: expect.stringMatching(/^\d{4}-.*Z$/),
        fingerprint: expect.stringMatching(/^[0-9a-f]{16}$/),
        step: expect.any(Number),
        offsets: { 'twhin.engagement': expect.any(Object) },
        entries: expect.any(Number),
        bytes: expect.any(Number),
        fileBytes: expect.any(Number),
        checkpointBytes: expect.any(Number),
      },
    });
    const files = await readdir(join(dir, 'engagement'));
    expect(files.map((name) => name.replace(/^[0-9a-f]{64}\./, '')).sort()).toEqual([
      ...['checkpoint', 'manifest.json', 'zst'],
    ]);
    expect(await readdir(dir)).toEqual(['engagement']);
  });

  test('takes the root of a volume, and restore finds the backup there', async () => {
    const volume = join(here.folder, 'volume');
    await mkdir(volume);
    // As a folder that only root may read: nobody follows a link to itself.
    await symlink('lost+found', join(volume, 'lost+found'));
    expect((await here.run('backup', volume)).code).toBe(0);
    expect((await readdir(volume)).sort()).toEqual(['engagement', 'lost+found']);
    await succeeded(here.run('restore', volume, '--into', 'back'), 'all is well');
  });

  test('refuses a folder that holds other files, and a store that is not there', async () => {
    await refused(here.run('backup', join(here.folder, 'state', 'backups')), 2, 'is inside the state folder');
    const full = join(here.folder, 'full');
    await mkdir(join(full, 'engagement'), { recursive: true });
    await writeFile(join(full, 'engagement', 'notes.txt'), '');
    await refused(here.run('backup', full), 2, 'notes.txt is in the way');
    await refused(
      here.run('backup', dir, '--graph', 'engagement', '--store', 'shadow'),
      1,
      'no store shadow',
    );
  });
});
