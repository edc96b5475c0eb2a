import { readFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { z } from 'zod';
import { writeAtomically } from '../adapters/atomic-file.ts';
import { FatalError, hasCode, reasonOf } from '../errors/errors.ts';

/** The content of a small JSON file; undefined where there is none. unreadable: the error, by path and reason. */
export function readJson<T>(
  path: string,
  schema: z.ZodType<T>,
  unreadable: (what: string, cause: unknown) => FatalError,
): T | undefined {
  try {
    return schema.parse(JSON.parse(readFileSync(path, 'utf8')));
  } catch (error) {
    if (hasCode(error, 'ENOENT') || hasCode(error, 'ENOTDIR')) return undefined;
    // Whoever may read the file must not write it anew.
    if (hasCode(error, 'EACCES'))
      throw new FatalError('store-denied', `${reasonOf(error)}; run the command as the user of the updater`);
    throw unreadable(`${path} can't be read: ${reasonOf(error)}`, error);
  }
}

/** Replaces a small JSON file whole: after a crash it holds the value before or the value after. @throws FatalError `store-write`. */
export function writeJson(path: string, value: object): Promise<void> {
  return writeAside(path, `${JSON.stringify(value)}\n`);
}

/** Writes a small file atomically: aside, synced, then renamed. @throws FatalError when the file can't be written. */
export async function writeAside(path: string, text: string): Promise<void> {
  try {
    await mkdir(dirname(path), { recursive: true });
    await writeAtomically(path, text, `${path}.${process.pid}`);
  } catch (error) {
    throw new FatalError('store-write', `${path} can't be written: ${reasonOf(error)}`, { cause: error });
  }
}
