import type { CodeOf, ErrorCode } from './codes.ts';

/** Errors by what the caller does next. The message says what happened and what to do. Only a {@link UsageError} has no code. */
export class TwhinError extends Error {
  readonly code: ErrorCode | undefined;

  constructor(code: ErrorCode | undefined, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = new.target.name;
    this.code = code;
  }
}

/** What to do about a damaged store, least loss first. A store that begins with what the topics hold lacks all that they no longer do. */
export const MAKE_AGAIN =
  'make the store again beside it: restore a backup with twhin restore DIR --into NAME or, without one, the published vectors with ' +
  'twhin restore --from-topic --into NAME; without those, replay the topics with twhin replay --into NAME. Put it in place with twhin promote NAME';

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

/** A log no longer holds the records that were read, or are to be read: somebody has to say how to go on. */
export class LogRefusal extends FatalError {
  declare readonly code: 'log-diverged' | 'offset-out-of-range';
  readonly topic: string;

  constructor(code: LogRefusal['code'], topic: string, message: string) {
    super(code, message);
    this.topic = topic;
  }
}

/** What to do about a topic that is refused. */
export function wayOn(topic: string): string {
  return (
    `To go on with the records that the log has: twhin run --go-on ${topic}. To read the topic from its start, which counts no event ` +
    `twice: twhin run --reread ${topic}. A replay begins again with --restart`
  );
}

/** The command line, the configuration or a question is wrong; nothing was started. Exit code 2, over HTTP 400. */
export class UsageError extends TwhinError {
  /** The wrong field of a question. */
  readonly field: string | undefined;

  constructor(message: string, { field, ...options }: { cause?: unknown; field?: string } = {}) {
    super(undefined, message, options);
    this.field = field;
  }

  /** An error with a line for each problem. */
  static listing(what: string, problems: readonly string[]): UsageError {
    return new UsageError(`${what}; nothing was started:\n${problems.map((each) => `  ${each}`).join('\n')}`);
  }
}

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

/** Whether the system or Node.js gave this code, such as ENOENT. */
export function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
