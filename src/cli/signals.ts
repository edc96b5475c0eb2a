import { closeSync, openSync } from 'node:fs';
import type { Log } from '../log.ts';

const SAME_SIGNAL_MS = 300;

/** SIGINT and SIGTERM while a command listens for them. */
export interface Signals {
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
  process.on('SIGINT', handle);
  process.on('SIGTERM', handle);
  return {
    stopping: stopping.signal,
    interrupted: () => stopping.signal.aborted,
    ignore: () => {
      process.off('SIGINT', handle);
      process.off('SIGTERM', handle);
    },
  };
}

/** Like {@link onSignal}, and ends the process when the stop takes longer than `stopMs`. */
export function stopOnSignal(
  { stopMs, stop }: { readonly stopMs: () => number; readonly stop: () => void },
  log: Log,
): Signals {
  let deadline: NodeJS.Timeout | undefined;
  const signals = onSignal((signal) => {
    const deadlineMs = stopMs();
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
  return {
    ...signals,
    ignore: () => {
      clearTimeout(deadline);
      signals.ignore();
    },
  };
}

/** Keeps SIGHUP from ending the process, and holds a signal back until somebody listens. */
export class Hangups {
  #listener: (() => void) | undefined;
  #missed = false;
  readonly #hadTerminal = (process.stdin.isTTY || process.stderr.isTTY) && terminalIsThere();

  constructor() {
    // On Windows the signal means that the console window was closed, and the process ends in any case.
    if (process.platform !== 'win32') process.on('SIGHUP', this.#hear);
  }

  /** Calls `listener` for each signal from now on, and at once if a signal came before. */
  hear(listener: () => void): void {
    this.#listener = listener;
    if (this.#missed) listener();
  }

  /** Gives the signal its usual effect back. */
  end(): void {
    process.off('SIGHUP', this.#hear);
  }

  readonly #hear = (): void => {
    // The same signal says that the terminal was closed. Then nobody can stop the process with Ctrl-C, so it ends.
    if (this.#hadTerminal && !terminalIsThere()) {
      this.end();
      process.kill(process.pid, 'SIGHUP');
    } else if (this.#listener === undefined) this.#missed = true;
    else this.#listener();
  };
}

function terminalIsThere(): boolean {
  try {
    closeSync(openSync('/dev/tty', 'r'));
    return true;
  } catch {
    return false;
  }
}
