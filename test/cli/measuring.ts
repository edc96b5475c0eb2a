import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, vi } from 'vitest';
import { type Place, place, type Said } from './captured.ts';

/** A place for each test of a command that measures in a temporary folder, and must leave nothing there. */
export class MeasuringPlace {
  #here: Place | undefined;

  constructor() {
    beforeEach(async () => {
      this.#here = await place();
      await mkdir(this.#temporary);
      vi.stubEnv('TMPDIR', this.#temporary);
    });
    afterEach(async () => {
      vi.unstubAllEnvs();
      await this.here.remove();
    });
  }

  get here(): Place {
    if (this.#here === undefined) throw new Error('a place is there within a test');
    return this.#here;
  }

  get #temporary(): string {
    return join(this.here.folder, 'temporary');
  }

  async run(...argv: string[]): Promise<Said> {
    const said = await this.here.run(...argv);
    expect(await this.left()).toEqual([]);
    return said;
  }

  /** What lies in the temporary folder. */
  left(): Promise<string[]> {
    return readdir(this.#temporary);
  }
}
