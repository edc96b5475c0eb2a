import { readFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { z } from 'zod';
import { writeAtomically } from '../adapters/atomic-file.ts';
import { FatalError, hasCode, reasonOf } from '../errors/errors.ts';

/** A small JSON file that is read whole and replaced whole: after a crash it holds the value before or the value after. */
export class JsonFile<T> {
  readonly path: string;
  readonly #schema: z.ZodType<T>;
  readonly #unreadable: (what: string, cause: unknown) => FatalError;

  /** unreadable: the error for a file that cannot be read; what: its path and the reason. */
  constructor(path: string, schema: z.ZodType<T>, unreadable: (what: string, cause: unknown) => FatalError) {
    this.path = path;
    this.#schema = schema;
    this.#unreadable = unreadable;
  }

  /** Undefined where there is no file. */
  read(): T | undefined {
    try {
      return this.#schema.parse(JSON.parse(readFileSync(this.path, 'utf8')));
    } catch (error) {
      if (hasCode(error, 'ENOENT')) return undefined;
      throw this.#unreadable(`${this.path} can't be read: ${reasonOf(error)}`, error);
    }
  }

  /** @throws FatalError `store-write`. */
  async write(value: T): Promise<void> {
    await writeAside(this.path, `${JSON.stringify(value)}\n`);
  }
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
