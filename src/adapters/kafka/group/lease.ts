/** An instant on both clocks: the monotonic one, and the wall's, which also goes on while a machine is suspended. */
export interface Moment {
  readonly monotonicMs: number;
  readonly wallMs: number;
}

export function moment(): Moment {
  return { monotonicMs: performance.now(), wallMs: Date.now() };
}

interface Waiter {
  /** Answered only by a renewal sent from then on, on the monotonic clock; absent where any renewal within the lease does. */
  readonly sinceMs?: number;
  resolve(): void;
  reject(error: Error): void;
}

/**
 * How long a leader may go on without asking: while the broker, as far as its last answer tells, can't yet have given
 * the group to another. Counted from when the renewal was sent, not from when its answer was seen: a process may be
 * frozen in between.
 */
export class Lease {
  readonly #leaseMs: number;
  readonly #waiters = new Set<Waiter>();
  /** When the last good renewal was sent. */
  #sent: Moment | undefined;
  #open = false;
  #end: Error | undefined;

  constructor(leaseMs: number) {
    this.#leaseMs = leaseMs;
  }

  /** Time since the last good renewal was sent, in ms; undefined when there was none. */
  get ageMs(): number | undefined {
    if (this.#sent === undefined) return undefined;
    const now = moment();
    // The larger: each of the clocks stands still, or is set back, where the other isn't.
    return Math.max(now.monotonicMs - this.#sent.monotonicMs, now.wallMs - this.#sent.wallMs);
  }

  /** A renewal that was sent at `sent` has a good answer. */
  renewed(sent: Moment): void {
    this.#sent = sent;
    this.#settle();
  }

  /** This process leads from now on. */
  open(): void {
    this.#open = true;
    this.#settle();
  }

  /** For now this process isn't known to lead; what waits goes on waiting. */
  close(): void {
    this.#open = false;
  }

  /** This process will not lead any more. Whoever waits, and whoever asks later, gets the error. */
  end(error: Error): void {
    this.close();
    this.#end = error;
    for (const waiter of this.#waiters) waiter.reject(error);
    this.#waiters.clear();
  }

  /**
   * Resolves while the lease lasts, else at the next good renewal. fresh: at one sent after this call.
   * @throws what `end` was given.
   */
  confirm(fresh: boolean): Promise<void> {
    if (this.#end !== undefined) return Promise.reject(this.#end);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#waiters.add(fresh ? { sinceMs: performance.now(), resolve, reject } : { resolve, reject });
    this.#settle();
    return promise;
  }

  #settle(): void {
    const { ageMs } = this;
    if (!this.#open || this.#sent === undefined || ageMs === undefined || ageMs >= this.#leaseMs) return;
    for (const waiter of this.#waiters) {
      if (waiter.sinceMs === undefined || this.#sent.monotonicMs >= waiter.sinceMs) {
        this.#waiters.delete(waiter);
        waiter.resolve();
      }
    }
  }
}
