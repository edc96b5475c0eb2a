import { closeSync, openSync } from 'node:fs';
import type { Log } from '../../log.ts';

const SAME_SIGNAL_MS = 300;

/** What can be told to end, and what it is to be told with. */
export interface Stopping {
  /** Time it may take. */
  stopMs(): number;
  stop(): void;
}

/** The first signal stops gracefully within the deadline; a second, or the deadline, ends the process at once. */
export function handleSignals(
  { stopMs, stop }: Stopping,
  log: Log,
): { readonly stopping: AbortSignal; ignore(): void } {
  const stopping = new AbortController();
  let deadline: NodeJS.Timeout | undefined;
  let signalled = 0;
  const onSignal = (signal: NodeJS.Signals) => {
    // One signal to a whole process group can arrive twice: by itself and passed on by the parent.
    if (stopping.signal.aborted && performance.now() - signalled < SAME_SIGNAL_MS) return;
    if (stopping.signal.aborted) process.exit(1);
    signalled = performance.now();
    stopping.abort();
    const deadlineMs = stopMs();
    log.info(
      { signal, deadlineMs },
      'stopping: finishing the batch, committing, publishing; again to end at once',
    );
    deadline = setTimeout(() => {
      log.error({ deadlineMs }, 'not stopped within the deadline; what was not committed is read again');
      process.exit(1);
    }, deadlineMs);
    deadline.unref();
    stop();
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  return {
    stopping: stopping.signal,
    ignore: () => {
      clearTimeout(deadline);
      process.off('SIGINT', onSignal);
      process.off('SIGTERM', onSignal);
    },
  };
}

/** SIGHUPs, none of which ends the process from now on: they are kept until somebody hears them. */
export class Hangups {
  #listener: (() => void) | undefined;
  #missed = false;
  readonly #hadTerminal = (process.stdin.isTTY || process.stderr.isTTY) && terminalIsThere();

  constructor() {
    // Windows has it for a console window that is closed, and ends the process whatever it says.
    if (process.platform !== 'win32') process.on('SIGHUP', this.#hear);
  }

  /** Calls back for each from now on, and at once where one was missed. */
  hear(listener: () => void): void {
    this.#listener = listener;
    if (this.#missed) listener();
  }

  /** Back to what the signal does by itself. */
  end(): void {
    process.off('SIGHUP', this.#hear);
  }

  readonly #hear = (): void => {
    // The same signal tells that its terminal was closed. Nobody is left then to stop it with Ctrl-C: it ends, as ever.
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
