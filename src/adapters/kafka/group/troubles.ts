import type { RetryableError } from '../../../errors/errors.ts';
import type { Trouble } from '../../../pipeline/ports.ts';
import { backoffMs, pause } from '../../backoff.ts';

/** Counts failures in a row of a membership, reports each, and waits longer after each. */
export class Troubles {
  readonly #brokers: string;
  readonly #onTrouble: ((trouble: Trouble) => void) | undefined;
  #count = 0;
  #since = 0;

  constructor(brokers: string, onTrouble: ((trouble: Trouble) => void) | undefined) {
    this.#brokers = brokers;
    this.#onTrouble = onTrouble;
  }

  /** To be called once something went well. */
  over(): void {
    this.#count = 0;
  }

  /** Reports a failure and waits before the next attempt. */
  async wait({ code, message: reason }: RetryableError, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    this.#since = this.#count === 0 ? Date.now() : this.#since;
    this.#count++;
    this.#onTrouble?.({ brokers: this.#brokers, since: this.#since, attempt: this.#count, code, reason });
    await pause(backoffMs(this.#count), signal);
  }
}
