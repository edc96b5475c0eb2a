import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Recorder } from '../../../../src/cli/run/watch/recorder.ts';
import { MemoryStore } from '../../../graph/memory-store.ts';
import { keptLog } from '../../../pipeline/faulty-sink.ts';
import { MemoryLog } from '../../../pipeline/memory-log.ts';
import { updater } from '../../../pipeline/updater-fixture.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'twhin-recorder-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const idle = updater(new MemoryLog(), new MemoryStore());
const graphIn = (place: string) => ({ folder: place, progress: () => idle.progress(), lag: () => [] });

test('the curves are there for the next process; a missing file is not reported', async () => {
  const log = keptLog();
  const first = await Recorder.open(graphIn(folder), log);
  await first.record();
  await first.record();
  await first.keep();
  const next = await Recorder.open(graphIn(folder), log);
  expect(next.history.hour()).toEqual(first.history.hour());
  expect(next.history.starts).toHaveLength(2);
  expect(log.lines).toEqual([]);
});

test('a file that can not be read is reported, and a folder that can not be written stops nothing', async () => {
  const log = keptLog();
  await writeFile(join(folder, 'history.json'), '{');
  const recorder = await Recorder.open(graphIn(folder), log);
  expect(log.lines).toEqual([
    expect.objectContaining({ message: 'the curves of the last run can not be read: new curves begin' }),
  ]);
  await recorder.keep();
  expect(await readFile(join(folder, 'history.json'), 'utf8')).toContain('"format":1');

  await mkdir(join(folder, 'taken', 'history.json'), { recursive: true });
  const blocked = await Recorder.open(graphIn(join(folder, 'taken')), log);
  await blocked.keep();
  expect(log.lines.at(-1)).toMatchObject({ message: 'the curves could not be written' });
});

test('a file that an earlier version kept of entities is removed', async () => {
  await writeFile(join(folder, 'tracks.json'), '{');
  const log = keptLog();
  await Recorder.open(graphIn(folder), log);
  expect(await readdir(folder)).toEqual([]);
  expect(log.lines).toEqual([]);
});
