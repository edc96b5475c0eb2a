import { constants } from 'node:os';
import type { Log } from '../log.ts';

const SAME_SIGNAL_MS = 300;
const ENDING = ['SIGINT', 'SIGTERM'] as const;
/** How many parts of this process stop by themselves after a signal. */
let listening = 0;

/** SIGINT and SIGTERM while a command listens for them: until `ignore`, or the end of the block with `using`. */
export interface Signals extends Disposable {
  /** Aborted by the first signal. */
  readonly stopping: AbortSignal;
  interrupted(): boolean;
  /** Stops listening: from now on a signal ends the process. */
  ignore(): void;
}

/** The first signal calls `stop`; a second one ends the process at once. */
export function onSignal(stop: (signal: NodeJS.Signals) => void = () => {}): Signals {
  const stopping = new AbortController();
  let signalled = 0;
  const handle = (signal: NodeJS.Signals): void => {
    // One signal to a whole process group can arrive twice: by itself, and passed on by the parent.
    if (stopping.signal.aborted && performance.now() - signalled < SAME_SIGNAL_MS) return;
    if (stopping.signal.aborted) process.exit(1);
    signalled = performance.now();
    stopping.abort();
    stop(signal);
  };
  for (const signal of ENDING) process.on(signal, handle);
  listening++;
  let ignored = false;
  const ignore = () => {
    if (ignored) return;
    ignored = true;
    listening--;
    for (const signal of ENDING) process.off(signal, handle);
  };
  return {
    stopping: stopping.signal,
    interrupted: () => stopping.signal.aborted,
    ignore,
    [Symbol.dispose]: ignore,
  };
}

/**
 * Ends the process at the first signal, as long as no part of it listens by {@link onSignal}. Without a handler a signal would
 * end the process too, and leave its temporary folders, half-made stores and locks behind. Gives what takes the effect back.
 * ended: called before the process exits.
 */
export function exitOnSignal(ended: (signal: NodeJS.Signals) => void): () => void {
  const handle = (signal: NodeJS.Signals): void => {
    if (listening > 0) return;
    ended(signal);
    // As a shell gives it where a signal ended the process.
    process.exit(128 + constants.signals[signal]);
  };
  for (const signal of ENDING) process.on(signal, handle);
  return () => {
    for (const signal of ENDING) process.off(signal, handle);
  };
}

/** Work that is not to be left half done: a first signal waits for its end. */
export async function uninterrupted<T>(work: () => Promise<T>): Promise<T> {
  using _ = onSignal();
  return await work();
}

/** Like {@link onSignal}, and ends the process when the stop takes longer than `stopMs`. */
export function stopOnSignal(
  { stopMs: deadlineMs, stop }: { readonly stopMs: number; readonly stop: () => void },
  log: Log,
): Signals {
  let deadline: NodeJS.Timeout | undefined;
  const signals = onSignal((signal) => {
    log.info(
      { signal, deadlineMs },
      'stopping: finishing the batch, committing, publishing; a second signal ends the process at once',
    );
    deadline = setTimeout(() => {
      log.error(
        { deadlineMs },
        'not stopped within the deadline; events since the last commit are read again',
      );
      process.exit(1);
    }, deadlineMs);
    deadline.unref();
    stop();
  });
  const ignore = () => {
    clearTimeout(deadline);
    signals.ignore();
  };
  return { ...signals, ignore, [Symbol.dispose]: ignore };
}
