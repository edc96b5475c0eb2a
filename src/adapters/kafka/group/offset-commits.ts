import { setTimeout as sleep } from 'node:timers/promises';
import { reasonOf } from '../../../errors/errors.ts';
import type { Offsets, WriterNote } from '../../../pipeline/ports.ts';
import type { LogLine } from '../settings.ts';

/** Between two attempts, and the longest that the last one may take. */
const AGAIN_MS = 2_000;

/**
 * Commits a leader's offsets to its group. The store is what counts, so nobody is held up by a group that can't be
 * told; but the last offsets are tried again until the group has them: where nothing more comes, no later commit would
 * carry them.
 */
export class OffsetCommits {
  /** false: there is no member to commit through. */
  readonly #send: (offsets: Offsets, note: WriterNote | undefined) => Promise<boolean>;
  readonly #log: LogLine;
  readonly #again: NodeJS.Timeout;
  #pending: { offsets: Offsets; note: WriterNote | undefined } | undefined;
  #tail: Promise<void> = Promise.resolve();

  constructor(send: (offsets: Offsets, note: WriterNote | undefined) => Promise<boolean>, log: LogLine) {
    this.#send = send;
    this.#log = log;
    this.#again = setInterval(() => void this.#attempt(), AGAIN_MS).unref();
  }

  /** One attempt, and others later where it fails. */
  put(offsets: Offsets, note: WriterNote | undefined): Promise<void> {
    this.#pending = { offsets, note };
    return this.#attempt();
  }

  /** A last attempt. Nothing is committed after. */
  async end(): Promise<void> {
    clearInterval(this.#again);
    if (this.#pending !== undefined) await Promise.race([this.#attempt(), sleep(AGAIN_MS)]);
    this.#pending = undefined;
  }

  /** One after the other, so that what is committed is never older than what was. */
  #attempt(): Promise<void> {
    this.#tail = this.#tail.then(async () => {
      const pending = this.#pending;
      if (pending === undefined) return;
      try {
        if ((await this.#send(pending.offsets, pending.note)) && this.#pending === pending) {
          this.#pending = undefined;
        }
      } catch (error) {
        this.#log('debug', `the group could not be told its offsets: ${reasonOf(error)}`);
      }
    });
    return this.#tail;
  }
}
