import { mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { keepOnExit, removeOnExit } from '../adapters/leftovers.ts';

/** Gives `work` a folder of its own, and removes it after the work, also when a signal ends the process meanwhile. */
export async function inTemporaryFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  // At once: a signal finds no folder that is not yet known.
  const folder = mkdtempSync(join(tmpdir(), 'twhin-work-'));
  removeOnExit(folder);
  try {
    return await work(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
    keepOnExit(folder);
  }
}
