import { TwhinError, UsageError } from '../errors/errors.ts';

/** The exit codes; scripts rely on them. */
export const DONE = 0;
export const FAILED = 1;
export const WRONG_USAGE = 2;

/** Where a command prints: results on `out`, everything else on `err`. */
export interface Output {
  out(line: string): void;
  err(line: string): void;
  /** Overwrites the last line on a terminal; prints nothing elsewhere. */
  status(line: string): void;
  /** Ends the status line. */
  statusDone(): void;
}

export const terminal: Output = {
  out: (line) => process.stdout.write(`${line}\n`),
  err: (line) => process.stderr.write(`${line}\n`),
  status: (line) => {
    if (process.stderr.isTTY)
      process.stderr.write(`\r\u001b[2K${line.slice(0, (process.stderr.columns ?? 100) - 1)}`);
  },
  statusDone: () => {
    if (process.stderr.isTTY) process.stderr.write('\r\u001b[2K');
  },
};

/** Ends the process when the reader of its results has closed the pipe, as in `twhin stats | head -1`. */
export function endOnClosedPipe(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(DONE);
    throw error;
  });
}

/** What failed first, where the closing of what was open failed after it. */
function firstOf(error: unknown): unknown {
  return error instanceof SuppressedError ? firstOf(error.suppressed) : error;
}

/** Prints what went wrong, with its code, and gives the exit code. */
export function report(error: unknown, verbose: boolean, output: Output): number {
  const first = firstOf(error);
  const failure = first instanceof Error ? first : new Error(String(first));
  const known = failure instanceof TwhinError;
  output.statusDone();
  const code = known ? failure.code : undefined;
  output.err(`twhin: ${code === undefined ? '' : `[${code}] `}${failure.message}`);
  if (code === 'fault' || code === 'shape')
    output.err('This is a fault of twhin-stream: report it with the lines that --verbose prints.');
  if (verbose) output.err(failure.stack ?? '');
  else if (!known) output.err('This was not expected; --verbose shows where it happened.');
  return failure instanceof UsageError ? WRONG_USAGE : FAILED;
}
