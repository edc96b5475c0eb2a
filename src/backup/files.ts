import { createHash } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { writeAtomically } from '../adapters/atomic-file.ts';
import { FatalError, reasonOf } from '../errors/errors.ts';

/** Suffix of a file that is being written. */
export const UNFINISHED = '.part';

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** Writes a file atomically. @throws FatalError when the file can't be written. */
export async function writeFile(path: string, bytes: Uint8Array): Promise<void> {
  await writeAtomically(path, bytes, `${path}${UNFINISHED}`).catch((error: unknown) => {
    throw writeFailure(path, error);
  });
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
