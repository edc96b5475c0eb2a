/** An instant on both clocks: the monotonic one, and the wall's, which also goes on while a machine is suspended. */
interface Moment {
  readonly monotonicMs: number;
  readonly wallMs: number;
}

interface Waiter {
  /** Asked from then on, on the monotonic clock; absent where any request within the lease will do. */
  readonly sinceMs?: number;
  resolve(): void;
  reject(error: Error): void;
}

/** The requests by which a member stays in its group. */
export type Renewal = 'Heartbeat' | 'SyncGroup';

/**
 * How long a member of a group may go on without asking: while the broker, as far as its last answer tells, can't yet
 * have given the group to another. Counted from when the renewal was sent, not from when its answer was seen: a
 * process may be frozen in between.
 */
export class Lease {
  readonly #leaseMs: number;
  /** Answers not yet known to be good. */
  readonly #answered = new Map<Renewal, Moment>();
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

  /** A renewal sent so long ago has its answer, good or not. */
  answered(renewal: Renewal, durationMs: number): void {
    const { monotonicMs, wallMs } = moment();
    // A millisecond more, since the duration is in whole ones.
    const sinceMs = durationMs + 1;
    this.#answered.set(renewal, { monotonicMs: monotonicMs - sinceMs, wallMs: wallMs - sinceMs });
  }

  /** The last answer to it was good. */
  renewed(renewal: Renewal): void {
    this.#sent = this.#answered.get(renewal) ?? this.#sent;
    this.#settle();
  }

  /** This process is the group's reader from now on. */
  open(): void {
    this.#open = true;
    this.#settle();
  }

  /** For now it isn't known to be; what waits goes on waiting. */
  close(): void {
    this.#open = false;
    this.#answered.clear();
  }

  /** There will be no other session. Who waits, and whoever asks later, gets the error. */
  end(error: Error): void {
    this.close();
    this.#end = error;
    for (const waiter of this.#waiters) waiter.reject(error);
    this.#waiters.clear();
  }

  /**
   * Resolves while the lease lasts, else at the next good renewal. fresh: one sent after this call.
   * @throws what `end` was given.
   */
  confirm(fresh: boolean): Promise<void> {
    if (this.#end !== undefined) return Promise.reject(this.#end);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#waiters.add({ ...(fresh ? { sinceMs: performance.now() } : {}), resolve, reject });
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

function moment(): Moment {
  return { monotonicMs: performance.now(), wallMs: Date.now() };
}
