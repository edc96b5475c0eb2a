import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { StreamedFile } from '../../src/adapters/streamed-file.ts';
import { freshFolder } from '../fresh-folder.ts';

test('closing a file with something not written yet is no failure', async () => {
  const path = join(await freshFolder(), 'file');
  const file = new StreamedFile(path);
  await file.put('first ');
  await vi.waitUntil(() => existsSync(path));
  // The second waits until the first is written.
  await file.put('second ');
  await file.put('third');
  await expect(file.close()).resolves.toBeUndefined();
});
