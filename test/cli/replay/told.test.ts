import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { readTold, type Told, tellProgress } from '../../../src/cli/replay/told.ts';
import { silentLog } from '../../../src/log.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'twhin-told-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const PARTITIONS = [{ topic: 'follow', partition: 0, done: 3, of: 9 }];
const TOLD: Told = {
  ...{ at: 5, phase: 'running', perSecond: 2, leftS: 3, partitions: PARTITIONS, mrr: { follows: 0.25 } },
};

test('what a replay tells can be read beside its store, as it last was', async () => {
  const place = { graph: 'follow', name: 'shadow', folder };
  expect(await readTold(place)).toBeUndefined();
  let at = 0;
  const telling = tellProgress(place, () => ({ ...TOLD, at: ++at }), silentLog);
  await telling.stop();
  expect(await readTold(place)).toEqual({ ...TOLD, at: 1 });
});

test('what can not be read is as if nothing was told, and a folder that takes nothing ends nothing', async () => {
  const place = { graph: 'follow', name: 'shadow', folder };
  await writeFile(join(folder, 'progress.json'), '{"at":');
  expect(await readTold(place)).toBeUndefined();
  await writeFile(join(folder, 'file'), '');
  const nowhere = { ...place, folder: join(folder, 'file', 'under') };
  await tellProgress(nowhere, () => TOLD, silentLog).stop();
});
