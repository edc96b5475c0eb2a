import { hasCode, reasonOf, TwhinError, UsageError } from '../errors/errors.ts';
import type { StorePlace } from '../state/places.ts';

/** The exit codes; scripts rely on them. */
export const DONE = 0;
export const FAILED = 1;
export const WRONG_USAGE = 2;

/** Where a command prints: results on `out`, everything else on `err`. */
export interface Output {
  out(line: string): void;
  err(line: string): void;
  /** Shows a line on a terminal, below all others, until the next one; prints nothing elsewhere. Empty: removes the shown one. */
  status(line: string): void;
}

let shown = '';

/** Prints a line above the shown one, which stays. */
function above(stream: NodeJS.WriteStream, line: string): void {
  const below = shown;
  terminal.status('');
  stream.write(`${line}\n`);
  terminal.status(below);
}

export const terminal: Output = {
  out: (line) => above(process.stdout, line),
  err: (line) => above(process.stderr, line),
  status: (line) => {
    if (!process.stderr.isTTY || line + shown === '') return;
    shown = line;
    // A terminal that does not know its width says 0.
    process.stderr.write(`\r\u001b[2K${line.slice(0, (process.stderr.columns || 100) - 1)}`);
  },
};

/** A command whose results nobody reads any more goes on, as `twhin backup DIR | head -1` with the next graph. */
export function outliveReaders(): void {
  process.stdout.on('error', (error) => {
    if (hasCode(error, 'EPIPE')) return;
    terminal.err(`twhin: the results can't be written: ${reasonOf(error)}`);
    process.exit(FAILED);
  });
  // What can't be said, on a full disk for one, is lost, and nothing else is.
  process.stderr.on('error', () => undefined);
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
  const code = known ? failure.code : undefined;
  output.err(`twhin: ${code === undefined ? '' : `[${code}] `}${failure.message}`);
  if (code === 'fault' || code === 'shape')
    output.err('This is a fault of twhin-stream: report it with the lines that --verbose prints.');
  if (verbose) output.err(failure.stack ?? '');
  else if (!known) output.err('This was not expected; --verbose shows where it happened.');
  return failure instanceof UsageError ? WRONG_USAGE : FAILED;
}

export function storeTitle({ graph, name, folder }: StorePlace): string {
  return `${graph}  (${name} in ${folder})`;
}

/** Says what a command found, for a person: a title and lines below it, those with a label in two columns. */
export function tell(
  output: Output,
  title: string,
  lines: readonly (string | readonly [label: string, text: string])[],
): void {
  const width = Math.max(...lines.map((line) => (typeof line === 'string' ? 0 : line[0].length)));
  output.out(title);
  for (const line of lines)
    output.out(typeof line === 'string' ? `  ${line}` : `  ${line[0].padEnd(width)}  ${line[1]}`);
}

/** Prints rows of cells, each column as wide as its widest cell; the first column to the left, the others to the right. */
export function printTable(rows: readonly (readonly string[])[], output: Output): void {
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? [];
  for (const row of rows) {
    const cells = row.map((cell, i) =>
      i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0),
    );
    output.out(`  ${cells.join('  ').trimEnd()}`);
  }
}
