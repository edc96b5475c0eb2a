/** The share of a second that may be sent at once: whole batches at high rates, single messages at low ones. */
const BURST_S = 0.1;

/** Holds a stream to a rate: of messages, or of anything else that is counted. */
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
   * Takes a token for one message, or `amount`; gives how long to wait, in ms, before sending it. The wait is for a
   * burst's worth of tokens at least, so that a high rate isn't cut into single messages and timers too short to be kept.
   */
  take(amount = 1): number {
    const now = this.#now();
    // A clock set back fills nothing.
    const elapsedS = Math.max(0, now - this.#filledAt) / 1000;
    this.#tokens = Math.min(this.#burst, this.#tokens + elapsedS * this.#ratePerS);
    this.#filledAt = now;
    const short = this.#tokens < amount ? Math.max(this.#burst, amount) - this.#tokens : 0;
    this.#tokens -= amount;
    return (short / this.#ratePerS) * 1000;
  }
}
