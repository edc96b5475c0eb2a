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

/** An error on its way between threads: a class does not survive structured cloning, and the code tells the class. */
export interface WireError {
  readonly code: ErrorCode;
  readonly message: string;
  readonly stack: string | undefined;
}

/** Makes an error ready to be sent. An error that is not a TwhinError gets `code`, and `what` before its message. */
export function packError(error: unknown, code: CodeOf<'fatal'>, what: string): WireError {
  const known = error instanceof TwhinError;
  return {
    code: known ? error.code : code,
    message: known ? error.message : `${what}: ${reasonOf(error)}`,
    stack: error instanceof Error ? error.stack : undefined,
  };
}

/** The error on the other side: same class, code, message and stack. */
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
