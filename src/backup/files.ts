import { createHash } from 'node:crypto';
import { open, readFile, rename, rm, stat } from 'node:fs/promises';
import { FatalError, reasonOf } from '../errors/errors.ts';

/** Suffix of a file that is being written. */
export const UNFINISHED = '.part';

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** Writes a file atomically (aside, synced, then renamed). */
export async function writeWhole(path: string, bytes: Uint8Array): Promise<void> {
  const aside = `${path}${UNFINISHED}`;
  try {
    const file = await open(aside, 'w');
    try {
      await file.writeFile(bytes);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(aside, path);
  } catch (error) {
    await rm(aside, { force: true });
    throw writeFailure(path, error);
  }
}

/** Makes renames into the folder survive a power loss. Does nothing where folders can't be synced. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'EISDIR' || error.code === 'EPERM') return undefined;
    throw writeFailure(path, error);
  });
  try {
    await folder?.sync();
  } finally {
    await folder?.close();
  }
}

/** The file's bytes; undefined where there is no file, or (without reading it) a file of another size. */
export async function readSized(path: string, bytes: number): Promise<Buffer | undefined> {
  try {
    if ((await stat(path)).size !== bytes) return undefined;
    return await readFile(path);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw new FatalError('backup-read', `${path} can't be read: ${reasonOf(error)}`, { cause: error });
  }
}

export function writeFailure(path: string, error: unknown): FatalError {
  return new FatalError(
    'backup-write',
    `${path} can't be written: ${reasonOf(error)}. The previous backup is unchanged; ` +
      'free space or repair the disk, then back up again: finished files are not written again.',
    { cause: error },
  );
}
