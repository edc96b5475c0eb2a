import { constants } from 'node:os';
import { RetryableError } from '../errors/errors.ts';
import type { Log } from '../log.ts';

const SAME_SIGNAL_MS = 300;
const ENDING = ['SIGINT', 'SIGTERM'] as const;

/** SIGINT and SIGTERM, heard until disposed. */
export interface Stop extends Disposable {
  /** Aborted by the first signal, with a RetryableError `interrupted`. */
  readonly stopping: AbortSignal;
}

/** Hears the signals of this process: the first aborts `stopping`, and a second one ends the process at once. */
export function hearSignals(): Stop {
  const controller = new AbortController();
  let signalled = 0;
  const handle = (signal: NodeJS.Signals): void => {
    // One signal to a whole process group can arrive twice: by itself, and passed on by the parent.
    if (controller.signal.aborted && performance.now() - signalled < SAME_SIGNAL_MS) return;
    // As a shell gives it where a signal ended the process.
    if (controller.signal.aborted) process.exit(128 + constants.signals[signal]);
    signalled = performance.now();
    controller.abort(new RetryableError('interrupted', `interrupted by ${signal}`));
  };
  for (const signal of ENDING) process.on(signal, handle);
  return {
    stopping: controller.signal,
    [Symbol.dispose]: () => {
      for (const signal of ENDING) process.off(signal, handle);
    },
  };
}

/** Calls `stop` once `stopping` is aborted, and ends the process where the stop takes longer than `stopMs`; until disposed. */
export function stopWithin(
  stopping: AbortSignal,
  { stopMs: deadlineMs, stop }: { readonly stopMs: number; readonly stop: () => void },
  log: Log,
): Disposable {
  let deadline: NodeJS.Timeout | undefined;
  const begin = () => {
    log.info(
      { deadlineMs },
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
  };
  stopping.addEventListener('abort', begin);
  if (stopping.aborted) begin();
  return {
    [Symbol.dispose]: () => {
      clearTimeout(deadline);
      stopping.removeEventListener('abort', begin);
    },
  };
}
