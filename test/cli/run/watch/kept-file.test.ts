import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { KeptFile } from '../../../../src/cli/run/watch/kept-file.ts';
import { keptLog } from '../../../pipeline/faulty-sink.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'twhin-kept-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function read(file: KeptFile): Promise<string[]> {
  const texts: string[] = [];
  await file.read((text) => texts.push(text));
  return texts;
}

test('a kept file is read by the next process, and a missing file is not reported', async () => {
  const log = keptLog();
  const file = new KeptFile(join(folder, 'x.json'), 'the curves', log);
  expect(await read(file)).toEqual([]);
  expect([await file.write('first'), await file.write('second')]).toEqual([true, true]);
  expect(await read(new KeptFile(join(folder, 'x.json'), 'the curves', log))).toEqual(['second']);
  expect(log.lines).toEqual([]);
});

test('a file that cannot be read or written is reported and stops nothing', async () => {
  const log = keptLog();
  const path = join(folder, 'x.json');
  await writeFile(path, '{');
  await new KeptFile(path, 'the curves', log).read((text) => JSON.parse(text));
  expect(log.lines).toEqual([
    expect.objectContaining({ message: 'the curves before can not be read: they begin anew' }),
  ]);
  expect(await new KeptFile(join(path, 'y.json'), 'the curves', log).write('text')).toBe(false);
});
