import { readFile } from 'node:fs/promises';
import { reasonOf } from '../../../errors/errors.ts';
import type { Log } from '../../../log.ts';
import { writeAside } from '../../../state/places.ts';

/** A small file beside a graph's stores that the dashboard's memory outlives the process in. */
export class KeptFile {
  readonly #path: string;
  readonly #what: string;
  readonly #log: Log;

  /** what: it holds, for the log. */
  constructor(path: string, what: string, log: Log) {
    this.#path = path;
    this.#what = what;
    this.#log = log;
  }

  /** Hands its text over, where there is one. What `take` throws says that it can't be read; then that is forgotten. */
  async read(take: (text: string) => void): Promise<void> {
    try {
      take(await readFile(this.#path, 'utf8'));
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return;
      const fields = { file: this.#path, reason: reasonOf(error) };
      this.#log.warn(fields, `${this.#what} before can not be read: they begin anew`);
    }
  }

  /** False where it can't be written. */
  async write(text: string): Promise<boolean> {
    try {
      await writeAside(this.#path, text);
      return true;
    } catch (error) {
      // They are a comfort: a disk that takes no file says so where it counts, at the next commit.
      this.#log.debug({ reason: reasonOf(error) }, `${this.#what} could not be kept`);
      return false;
    }
  }
}
