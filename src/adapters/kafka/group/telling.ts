import { setTimeout as sleep } from 'node:timers/promises';
import { reasonOf } from '../../../errors/errors.ts';
import type { Offsets, WriterNote } from '../../../pipeline/ports.ts';
import type { LogLine } from '../client.ts';

/** Between attempts, and at most so long the last one when it ends. */
const AGAIN_MS = 2_000;

interface Untold {
  readonly offsets: Offsets;
  readonly note: WriterNote | undefined;
}

/**
 * Tells a group how far its reader is. The store is what counts, so nobody is held up by a group that can't be told; but
 * the last of it is tried again until it is: where nothing more comes, no later commit would carry it.
 */
export class Telling {
  /** false: there is nobody to tell, or no right to. */
  readonly #send: (untold: Untold) => Promise<boolean>;
  readonly #log: LogLine;
  readonly #again: NodeJS.Timeout;
  #untold: Untold | undefined;
  #tail: Promise<void> = Promise.resolve();

  constructor(send: (untold: Untold) => Promise<boolean>, log: LogLine) {
    this.#send = send;
    this.#log = log;
    this.#again = setInterval(() => void this.#attempt(), AGAIN_MS).unref();
  }

  /** One attempt, and others later where it fails. */
  tell(offsets: Offsets, note: WriterNote | undefined): Promise<void> {
    this.#untold = { offsets, note };
    return this.#attempt();
  }

  /** A last attempt. Nothing is told after. */
  async end(): Promise<void> {
    clearInterval(this.#again);
    if (this.#untold !== undefined) await Promise.race([this.#attempt(), sleep(AGAIN_MS)]);
    this.#untold = undefined;
  }

  /** One after the other, so that what is told is never older than what was. */
  #attempt(): Promise<void> {
    this.#tail = this.#tail.then(async () => {
      const untold = this.#untold;
      if (untold === undefined) return;
      try {
        if ((await this.#send(untold)) && this.#untold === untold) this.#untold = undefined;
      } catch (error) {
        this.#log('debug', `the group could not be told its offsets: ${reasonOf(error)}`);
      }
    });
    return this.#tail;
  }
}
