import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type KeptProgress, keepProgress, readProgress } from '../../../src/cli/replay/progress.ts';
import { silentLog } from '../../../src/log.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'twhin-progress-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const PARTITIONS = [{ topic: 'follow', partition: 0, done: 3, of: 9 }];
const KEPT: KeptProgress = {
  at: 5,
  phase: 'running',
  perSecond: 2,
  leftS: 3,
  partitions: PARTITIONS,
  mrr: { follows: 0.25 },
};

test('the progress of a replay can be read from the file beside its store', async () => {
  const place = { graph: 'follow', name: 'shadow', folder };
  expect(await readProgress(place)).toBeUndefined();
  let at = 0;
  const keeping = keepProgress(place, () => ({ ...KEPT, at: ++at }), silentLog);
  await keeping.stop();
  expect(await readProgress(place)).toEqual({ ...KEPT, at: 1 });
});

test('a damaged progress file counts as absent, and a folder that cannot be written does not stop the replay', async () => {
  const place = { graph: 'follow', name: 'shadow', folder };
  await writeFile(join(folder, 'progress.json'), '{"at":');
  expect(await readProgress(place)).toBeUndefined();
  await writeFile(join(folder, 'file'), '');
  const nowhere = { ...place, folder: join(folder, 'file', 'under') };
  await keepProgress(nowhere, () => KEPT, silentLog).stop();
});
