import {
  BadEvent,
  FatalError,
  RetryableError,
  reasonOf,
  ShapeError,
  TwhinError,
  UsageError,
} from '../errors/errors.ts';
import { type CodeOf, type ErrorCode, isCodeOf } from '../errors/registry.ts';

/** URL of a thread's entry. source: its TypeScript file; a build has a JavaScript file of the same name. */
export function threadEntry(source: URL): URL {
  return import.meta.url.endsWith('.ts') ? source : new URL(source.href.replace(/\.ts$/, '.js'));
}

/** An error on its way between threads: structured cloning does not keep the class, and the code tells the class. */
export interface WireError {
  readonly code: ErrorCode;
  readonly message: string;
  readonly stack: string | undefined;
}

/** A thread's answer to a call that failed. */
export interface Failed {
  readonly kind: 'failed';
  readonly error: WireError;
}

/** The answer that carries `error` to the caller. code, what: name an error that is not a TwhinError. */
export function failed(error: unknown, code: CodeOf<'fatal'>, what: string): Failed {
  return { kind: 'failed', error: packError(error, code, what) };
}

/** Turns an error into a message. code, what: name an error that is not a TwhinError. */
export function packError(error: unknown, code: CodeOf<'fatal'>, what: string): WireError {
  const known = error instanceof TwhinError;
  return {
    code: known ? error.code : code,
    message: known ? error.message : `${what}: ${reasonOf(error)}`,
    stack: error instanceof Error ? error.stack : undefined,
  };
}

/** Turns the message back into an error of the same class, code, message and stack. */
export function unpackError({ code, message, stack }: WireError): TwhinError {
  const error = make(code, message);
  if (stack !== undefined) error.stack = stack;
  return error;
}

function make(code: ErrorCode, message: string): TwhinError {
  if (isCodeOf(code, 'fatal')) return new FatalError(code, message);
  if (isCodeOf(code, 'retryable')) return new RetryableError(code, message);
  if (isCodeOf(code, 'usage')) return new UsageError(code, message);
  if (isCodeOf(code, 'bad-event')) return new BadEvent(code, message);
  return new ShapeError(message);
}
