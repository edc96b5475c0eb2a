/** An instant on two clocks: the monotonic clock, and the wall clock, which also advances while a machine is suspended. */
export interface Moment {
  readonly monotonicMs: number;
  readonly wallMs: number;
}

export function moment(): Moment {
  return { monotonicMs: performance.now(), wallMs: Date.now() };
}

/**
 * How long a leader may write without asking again: until the broker could have given the group to another process.
 * The lease counts from when a renewal was sent, not from when its answer was seen, because a process may be frozen in
 * between.
 */
export class Lease {
  readonly #leaseMs: number;
  /** Resolves at the next change. */
  #change = Promise.withResolvers<void>();
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
    this.#changed();
  }

  /** Notes that this process leads from now on. */
  open(): void {
    this.#open = true;
    this.#changed();
  }

  /** Notes that it is not known whether this process leads. Callers of `confirm` keep waiting. */
  close(): void {
    this.#open = false;
  }

  /** Notes that this process will never lead again. Present and later callers of `confirm` get the error. */
  end(error: Error): void {
    this.close();
    this.#end = error;
    this.#changed();
  }

  /**
   * Resolves at once while the lease lasts, else at the next confirmed renewal. fresh: only a renewal sent after this call
   * counts.
   * @throws the error that `end` was given.
   */
  async confirm(fresh: boolean): Promise<void> {
    const sinceMs = fresh ? performance.now() : Number.NEGATIVE_INFINITY;
    while (!this.#lasts(sinceMs)) await this.#change.promise;
  }

  /** Whether the last good renewal counts, and was sent at this monotonic time or later. @throws the error of `end`. */
  #lasts(sinceMs: number): boolean {
    if (this.#end !== undefined) throw this.#end;
    const { ageMs } = this;
    if (!this.#open || this.#sent === undefined || ageMs === undefined) return false;
    return ageMs < this.#leaseMs && this.#sent.monotonicMs >= sinceMs;
  }

  #changed(): void {
    this.#change.resolve();
    this.#change = Promise.withResolvers();
  }
}
