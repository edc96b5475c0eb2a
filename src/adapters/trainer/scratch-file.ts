import { randomUUID } from 'node:crypto';
import { mkdirSync, openSync, readvSync, rmSync, writevSync } from 'node:fs';
import { join } from 'node:path';
import { FatalError, reasonOf } from '../../errors/errors.ts';

/**
 * Pages in a file that loses its name as soon as it is open: the system deletes the file with the process, however the
 * process ends. The system's page cache keeps as much of the file in memory as is free.
 */
export class ScratchFile {
  readonly #folder: string;
  readonly #file: number;

  /** @throws FatalError when the file can't be made in the folder. */
  constructor(folder: string) {
    this.#folder = folder;
    try {
      mkdirSync(folder, { recursive: true });
      const path = join(folder, `edges-${randomUUID()}.scratch`);
      this.#file = openSync(path, 'wx+', 0o600);
      rmSync(path);
    } catch (error) {
      throw this.#failure(error);
    }
  }

  /** All pages have arrays of the same lengths. */
  write(page: number, neighbours: Int32Array, relations: Uint8Array): void {
    this.#whole(writevSync, page, neighbours, relations);
  }

  read(page: number, neighbours: Int32Array, relations: Uint8Array): void {
    this.#whole(readvSync, page, neighbours, relations);
  }

  #whole(move: typeof readvSync, page: number, neighbours: Int32Array, relations: Uint8Array): void {
    const bytes = neighbours.byteLength + relations.byteLength;
    try {
      const moved = move(this.#file, [neighbours, relations], page * bytes);
      if (moved !== bytes) throw new Error(`${moved} of a page's ${bytes} bytes were moved`);
    } catch (error) {
      throw this.#failure(error);
    }
  }

  #failure(error: unknown): FatalError {
    return new FatalError(
      'edges-scratch',
      `the live edges that are over limits.knownEdgesBytes can't be kept in a file in ${this.#folder}: ${reasonOf(error)}; ` +
        'free space there or raise the limit, and start again from the stored state',
      { cause: error },
    );
  }
}
