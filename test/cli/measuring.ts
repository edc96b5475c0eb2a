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

/** Follows among 24 users in two circles, in a random-looking order, of which the last `odd` are between users of different circles. */
export function circles(odd = 0): string[] {
  const pairs: [number, number][] = [];
  for (let a = 0; a < 24; a++) for (let b = 0; b < 24; b++) if (a !== b) pairs.push([a, b]);
  pairs.sort(([a, b], [c, d]) => ((a * 31 + b * 17) % 97) - ((c * 31 + d * 17) % 97) || a - c || b - d);
  const within = pairs.filter(([a, b]) => a % 2 === b % 2);
  const between = pairs.filter(([a, b]) => a % 2 !== b % 2);
  return [...within.slice(0, within.length - odd), ...between.slice(0, odd)].map(([a, b], i) =>
    JSON.stringify({
      followerId: `u${a}`,
      followedId: `u${b}`,
      action: 'follow',
      at: 1_700_000_000_000 + i * 1_000,
    }),
  );
}
