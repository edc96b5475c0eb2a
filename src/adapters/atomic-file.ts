import { open, rename, rm } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { FatalError, reasonOf, TwhinError } from '../errors/errors.ts';
import { keepOnExit, removeOnExit } from './leftovers.ts';

/** Writes a file atomically: to `partial`, synced, then renamed, and the folder synced. A failed write removes `partial`. */
export async function writeAtomically(
  path: string,
  content: string | Uint8Array,
  partial: string,
): Promise<void> {
  await makeWhole(path, partial, async () => {
    await using file = await open(partial, 'w');
    await file.writeFile(content);
    await file.sync();
  });
  await syncFolder(dirname(path));
}

/** Makes a file or folder whole or not at all: `fill` makes `partial`, which is renamed, or removed on a failure or an exit. */
export async function makeWhole(path: string, partial: string, fill: () => Promise<void>): Promise<void> {
  removeOnExit(partial);
  try {
    await fill();
    await rename(partial, path);
  } catch (error) {
    // Without a folder there is nothing to remove. The first error is thrown.
    await rm(partial, { recursive: true, force: true }).catch(() => undefined);
    throw error;
  } finally {
    keepOnExit(partial);
  }
}

/** As {@link makeWhole}, where a person named the file or folder. @throws FatalError `file` where it can't be written. */
export async function makeNamed(path: string, fill: (partial: string) => Promise<void>): Promise<void> {
  // Without the slash that a folder's name may end with.
  const partial = `${resolve(path)}.partial-${process.pid}`;
  await makeWhole(path, partial, () => fill(partial)).catch((error: unknown) => {
    if (error instanceof TwhinError) throw error;
    const what = `${path} can't be written: ${reasonOf(error)}`;
    throw new FatalError('file', `${what}; free space, or give the command another name`, { cause: error });
  });
}

/** Makes renames into a folder survive a power loss. Does nothing where folders can't be synced. */
export async function syncFolder(path: string): Promise<void> {
  await using folder = await open(path, 'r').catch((error: NodeJS.ErrnoException) => {
    if (['EISDIR', 'EPERM', 'EACCES'].includes(error.code ?? '')) return undefined;
    throw error;
  });
  await folder?.sync();
}
