/** The part of a second's tokens that may be taken at once: whole batches at high rates, single messages at low rates. */
const BURST_S = 0.1;

/** Limits a stream to a rate of messages, or of anything else that is counted. */
export class TokenBucket {
  readonly #ratePerS: number;
  readonly #now: () => number;
  readonly #burst: number;
  #tokens: number;
  #filledAt: number;

  /** ratePerS: above 0. now: epoch ms. */
  constructor(ratePerS: number, now: () => number) {
    this.#ratePerS = ratePerS;
    this.#now = now;
    this.#burst = Math.max(1, ratePerS * BURST_S);
    this.#tokens = this.#burst;
    this.#filledAt = now();
  }

  /**
   * Takes `amount` tokens; gives the time to wait before sending, in ms. A wait is at least the time of a whole burst:
   * at a high rate the waits between single messages would be shorter than a timer can keep.
   */
  take(amount = 1): number {
    const now = this.#now();
    // A clock that was set back must not remove tokens.
    const elapsedS = Math.max(0, now - this.#filledAt) / 1000;
    this.#tokens = Math.min(this.#burst, this.#tokens + elapsedS * this.#ratePerS);
    this.#filledAt = now;
    const short = this.#tokens < amount ? Math.max(this.#burst, amount) - this.#tokens : 0;
    this.#tokens -= amount;
    return (short / this.#ratePerS) * 1000;
  }
}
