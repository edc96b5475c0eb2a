import { setTimeout as sleep } from 'node:timers/promises';
import { reasonOf } from '../../../errors/errors.ts';
import type { Offsets, WriterNote } from '../../../pipeline/ports.ts';
import type { LogLine } from '../settings.ts';

/** Interval between attempts, and the longest that the last attempt may take. */
const AGAIN_MS = 2_000;

/**
 * Commits a leader's offsets to its group. The store's offsets count, so a group that can't be reached holds up nothing.
 * The latest offsets are retried until the group has them, because there may be no later commit to carry them.
 */
export class OffsetCommits {
  /** Gives false where this process does not lead, so that nothing can be committed. */
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

  /** Makes one attempt now, and further attempts later where it fails. */
  put(offsets: Offsets, note: WriterNote | undefined): Promise<void> {
    this.#pending = { offsets, note };
    return this.#attempt();
  }

  /** Makes a last attempt. Nothing is committed afterwards. */
  async end(): Promise<void> {
    clearInterval(this.#again);
    if (this.#pending !== undefined) await Promise.race([this.#attempt(), sleep(AGAIN_MS)]);
    this.#pending = undefined;
  }

  /** Attempts run one after the other, so that older offsets never replace newer ones. */
  #attempt(): Promise<void> {
    this.#tail = this.#tail.then(async () => {
      const pending = this.#pending;
      if (pending === undefined) return;
      try {
        if ((await this.#send(pending.offsets, pending.note)) && this.#pending === pending) {
          this.#pending = undefined;
        }
      } catch (error) {
        this.#log('debug', `offsets could not be committed to the group: ${reasonOf(error)}`);
      }
    });
    return this.#tail;
  }
}
