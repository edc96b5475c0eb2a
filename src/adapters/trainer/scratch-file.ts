import { randomUUID } from 'node:crypto';
import { mkdirSync, openSync, readvSync, rmSync, writevSync } from 'node:fs';
import { join } from 'node:path';
import { FatalError, reasonOf } from '../../errors/errors.ts';

/**
 * Pages in a file that has no name any more once it is open: it is gone with the process, however that ends. The system
 * keeps as much of it in memory as it has to spare, and takes that back when it is needed.
 */
export class ScratchFile {
  readonly #folder: string;
  readonly #file: number;

  /** @throws FatalError where there can be no file in the folder. */
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
      if (moved !== bytes) throw new Error(`${moved} of a page's ${bytes} bytes came through`);
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
