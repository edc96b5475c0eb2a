import { mkdir, readdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { json, type Place, type Said } from './captured.ts';
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

const said = ({ out, err }: Said) => [...out, ...err].join('\n');

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
      },
    });
    expect(await readdir(join(dir, 'engagement'))).toEqual([
      expect.stringMatching(/^[0-9a-f]{64}\.zst$/),
      'manifest.json',
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
    const restored = await here.run('restore', volume, '--into', 'back');
    expect([restored.code, said(restored)]).toEqual([0, expect.stringContaining('all is well')]);
  });

  test('refuses a folder that holds other files, and a graph without a store', async () => {
    const inside = await here.run('backup', join(here.folder, 'state', 'backups'));
    expect([inside.code, said(inside)]).toEqual([2, expect.stringContaining('is inside the state folder')]);
    const full = join(here.folder, 'full');
    await mkdir(join(full, 'engagement'), { recursive: true });
    await writeFile(join(full, 'engagement', 'notes.txt'), '');
    const other = await here.run('backup', full);
    expect([other.code, said(other)]).toEqual([2, expect.stringContaining('notes.txt is in the way')]);
    const follow = await here.run('backup', dir, '--graph', 'follow');
    expect([follow.code, said(follow)]).toEqual([
      1,
      expect.stringContaining('there is no store of follow in the state folder'),
    ]);
    const shadow = await here.run('backup', dir, '--graph', 'engagement', '--store', 'shadow');
    expect([shadow.code, said(shadow)]).toEqual([1, expect.stringContaining('no store shadow')]);
  });
});
