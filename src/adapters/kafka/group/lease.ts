/** An instant on two clocks: the monotonic clock, and the wall clock, which also advances while a machine is suspended. */
export interface Moment {
  readonly monotonicMs: number;
  readonly wallMs: number;
}

export function moment(): Moment {
  return { monotonicMs: performance.now(), wallMs: Date.now() };
}

interface Waiter {
  /** Only a renewal sent at this monotonic time or later counts; absent: any renewal within the lease counts. */
  readonly sinceMs?: number;
  resolve(): void;
  reject(error: Error): void;
}

/**
 * How long a leader may write without asking again: until the broker could have given the group to another process.
 * The lease counts from when a renewal was sent, not from when its answer was seen, because a process may be frozen in
 * between.
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
    // The larger of both: one clock may stand still, or be set back, while the other is right.
    return Math.max(now.monotonicMs - this.#sent.monotonicMs, now.wallMs - this.#sent.wallMs);
  }

  /** Notes that the broker confirmed a renewal that was sent at `sent`. */
  renewed(sent: Moment): void {
    this.#sent = sent;
    this.#settle();
  }

  /** Notes that this process leads from now on. */
  open(): void {
    this.#open = true;
    this.#settle();
  }

  /** Notes that it is not known whether this process leads. Callers of `confirm` keep waiting. */
  close(): void {
    this.#open = false;
  }

  /** Notes that this process will never lead again. Present and later callers of `confirm` get the error. */
  end(error: Error): void {
    this.close();
    this.#end = error;
    for (const waiter of this.#waiters) waiter.reject(error);
    this.#waiters.clear();
  }

  /**
   * Resolves at once while the lease lasts, else at the next confirmed renewal. fresh: only a renewal sent after this call
   * counts.
   * @throws the error that `end` was given.
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
