import { FatalError, RetryableError, reasonOf } from '../errors/errors.ts';

/** Where an updater is in its life. */
export type Phase =
  /** The store is being loaded. */
  | 'loading'
  /** The group is joined, where there is one, and reading begins. */
  | 'joining'
  /** Records are applied to a store that is kept up to date; another process leads. */
  | 'standby'
  /** This process becomes the graph's one writer. */
  | 'taking-over'
  | 'running'
  /** Reading ends: what is in hand will be written. */
  | 'ending'
  /** Reading ends: what is in hand will not be written. */
  | 'leaving'
  /** Everything in hand is trained, committed and published. */
  | 'draining'
  | 'stopped'
  | 'failed';

export type LifecycleEvent =
  | 'loaded'
  /** A standby follows the log. */
  | 'waits'
  /** This process leads its group. */
  | 'turn'
  /** This process is the graph's one writer. */
  | 'writes'
  | 'stop'
  | 'abandon'
  /** All is read, or reading has ended: everything in hand is to be written. */
  | 'drain'
  /** Nothing is left to be done. */
  | 'done'
  | 'fail';

/** What each event does in each phase; an event that is not named is refused. */
export const TRANSITIONS: Readonly<Record<Phase, Readonly<Partial<Record<LifecycleEvent, Phase>>>>> = {
  loading: { loaded: 'joining', stop: 'leaving', abandon: 'leaving', fail: 'failed' },
  joining: {
    waits: 'standby',
    turn: 'taking-over',
    writes: 'running',
    stop: 'leaving',
    abandon: 'leaving',
    fail: 'failed',
  },
  standby: { turn: 'taking-over', stop: 'ending', abandon: 'leaving', drain: 'draining', fail: 'failed' },
  // Drained is a standby that was to end once all is read: it wrote no vector, and need not begin to.
  'taking-over': {
    writes: 'running',
    stop: 'leaving',
    abandon: 'leaving',
    drain: 'draining',
    fail: 'failed',
  },
  running: { stop: 'ending', abandon: 'leaving', drain: 'draining', fail: 'failed' },
  // The turn of a standby may come too late, here and below.
  ending: { turn: 'ending', stop: 'ending', abandon: 'leaving', drain: 'draining', fail: 'failed' },
  leaving: {
    loaded: 'leaving',
    waits: 'leaving',
    turn: 'leaving',
    writes: 'leaving',
    stop: 'leaving',
    abandon: 'leaving',
    done: 'stopped',
    fail: 'failed',
  },
  // All is read, and `run` ends with everything written, unless the brokers do not take it before a stop has to end.
  draining: { turn: 'draining', stop: 'draining', abandon: 'leaving', done: 'stopped', fail: 'failed' },
  stopped: { turn: 'stopped', stop: 'stopped', fail: 'stopped' },
  failed: { turn: 'failed', stop: 'failed', abandon: 'failed', fail: 'failed' },
};

/** The phase of an updater, changed by events alone. */
export class Lifecycle {
  #phase: Phase = 'loading';
  #failure: Error | undefined;
  readonly #reading = new AbortController();

  get phase(): Phase {
    return this.#phase;
  }

  /** Records are to be read, now or once this process may. */
  get reads(): boolean {
    return !this.ends.aborted;
  }

  /** Fires when nothing more is to be read: whatever waits for the brokers before that is to wait no longer. */
  get ends(): AbortSignal {
    return this.#reading.signal;
  }

  allows(event: LifecycleEvent): boolean {
    return TRANSITIONS[this.#phase][event] !== undefined;
  }

  /** @throws FatalError `fault` when the event can't happen in this phase. */
  on(event: LifecycleEvent): void {
    const next = TRANSITIONS[this.#phase][event];
    if (next === undefined) {
      throw new FatalError('fault', `an updater that is ${this.#phase} refuses the event "${event}"`);
    }
    this.#phase = next;
    if (['ending', 'leaving', 'draining', 'stopped', 'failed'].includes(next)) this.#reading.abort();
  }

  /** Remembers the first failure, which ends `run`. One that leaves ends waits: that is none. */
  fail(error: unknown): void {
    this.#failure ??=
      error instanceof FatalError ? error : new FatalError('fault', reasonOf(error), { cause: error });
    if (this.#phase !== 'leaving' || !isStopped(error)) this.on('fail');
  }

  /** @throws what failed. */
  check(): void {
    if (this.#failure) throw this.#failure;
  }
}

/** Whether a wait was ended by whoever waited. */
export function isStopped(error: unknown): boolean {
  if (error instanceof FatalError) return isStopped(error.cause);
  return error instanceof RetryableError && error.code === 'stopped';
}
