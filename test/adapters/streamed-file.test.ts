import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, expect, test, vi } from 'vitest';
import { StreamedFile } from '../../src/adapters/streamed-file.ts';
import { freshFolder } from '../fresh-folder.ts';

let folder: string;
beforeEach(async () => {
  folder = await freshFolder();
});

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
