import { once } from 'node:events';
import { stat } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { own, refused } from '../captured.ts';
import { filledPlace } from '../filled-place.ts';

test('twhin candidates takes the place of no socket, device or folder, and reads nothing before it says so', async () => {
  const here = await own(filledPlace());
  const path = join(here.folder, 'socket');
  const server = createServer().listen(path);
  await once(server, 'listening');
  for (const out of [path, here.folder])
    await refused(here.run('candidates', '--surface', 'home', '--out', out), 2, `--out: ${out} is no file`);
  expect((await stat(path)).isSocket()).toBe(true);
  server.close();
});
