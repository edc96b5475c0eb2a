import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { StreamedFile } from '../../src/adapters/streamed-file.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'twhin-streamed-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

test('what was put in is in the file once it is ended', async () => {
  const file = new StreamedFile(join(folder, 'file'));
  await file.put('one ');
  await file.put('two');
  await file.end();
  await file.close();
  expect(await readFile(join(folder, 'file'), 'utf8')).toBe('one two');
});

test('closing a file with something not written yet is no failure', async () => {
  const path = join(folder, 'file');
  const file = new StreamedFile(path);
  await file.put('first ');
  await vi.waitUntil(() => existsSync(path));
  // The second waits until the first is written.
  await file.put('second ');
  await file.put('third');
  await expect(file.close()).resolves.toBeUndefined();
});
