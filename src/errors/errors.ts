import type { CodeOf, ErrorCode } from './registry.ts';

/**
 * Errors by what the caller does next. Each has a code of the registry, and a message that names the values seen and
 * what to do.
 */
export class TwhinError extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = new.target.name;
    this.code = code;
  }
}

/** What to do about a damaged store, least loss first. A store that begins with what the topics hold lacks all that they no longer do. */
export const MAKE_AGAIN =
  'run twhin check, then make the store again beside it: restore a backup with twhin restore DIR --into NAME or, without one, replay the ' +
  'topics with twhin replay --into NAME. Put it in place with twhin replay promote NAME';

/** An error that takes the codes of its own class only. */
class Coded<Code extends ErrorCode> extends TwhinError {
  declare readonly code: Code;

  constructor(code: Code, message: string, options?: { cause?: unknown }) {
    super(code, message, options);
  }
}

/** Try again, with a bound and a backoff: the surroundings failed, not the input. */
export class RetryableError extends Coded<CodeOf<'retryable'>> {}

/** Stop: continuing would lose or corrupt data. The message says what to do. */
export class FatalError extends Coded<CodeOf<'fatal'>> {}

/** The command line or the configuration is wrong; nothing was started. Exit code 2. */
export class UsageError extends Coded<CodeOf<'usage'>> {}

/** One record cannot be used: it goes to the dead letters with `code` as the reason, and the stream continues. */
export class BadEvent extends Coded<CodeOf<'bad-event'>> {}

/** Lengths or shapes that must agree do not. */
export class ShapeError extends Coded<'shape'> {
  constructor(message: string) {
    super('shape', message);
  }
}

/** What went wrong, in one line, whatever was thrown. */
export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
