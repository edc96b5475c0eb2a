import { open, rename, rm } from 'node:fs/promises';
import { keepOnExit, removeOnExit } from './leftovers.ts';

/** Writes a file atomically: to `partial`, synced, then renamed. A failed write removes `partial`. */
export async function writeAtomically(
  path: string,
  content: string | Uint8Array,
  partial: string,
): Promise<void> {
  removeOnExit(partial);
  try {
    const file = await open(partial, 'w');
    try {
      await file.writeFile(content);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(partial, path);
  } catch (error) {
    await rm(partial, { force: true });
    throw error;
  } finally {
    keepOnExit(partial);
  }
}

/** Makes renames into a folder survive a power loss. Does nothing where folders can't be synced. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r').catch((error: NodeJS.ErrnoException) => {
    if (['EISDIR', 'EPERM', 'EACCES'].includes(error.code ?? '')) return undefined;
    throw error;
  });
  try {
    await folder?.sync();
  } finally {
    await folder?.close();
  }
}
