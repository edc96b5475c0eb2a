/**
 * Errors by what the caller does next. Each has a `code` for machines and a message for people that names the
 * value seen and what to do.
 */
export class TwhinError extends Error {
  readonly code: string;

  constructor(code: string, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = new.target.name;
    this.code = code;
  }
}

/** Try again, with a bound and a backoff: the surroundings failed, not the input. */
export class RetryableError extends TwhinError {}

/** Stop: going on would lose or corrupt something. The message says the way out. */
export class FatalError extends TwhinError {}

/** The command line or the configuration is wrong; nothing was started. Exit code 2. */
export class UsageError extends TwhinError {}

/** One record can't be used. It goes to the dead letter with `code` as the reason and never stops the stream. */
export class BadEvent extends TwhinError {}

/** Lengths or shapes that must agree do not. */
export class ShapeError extends TwhinError {
  constructor(message: string) {
    super('shape', message);
  }
}

/** What went wrong, in one line, whatever was thrown. */
export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
