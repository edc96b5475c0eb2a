import {
  BadEvent,
  FatalError,
  RetryableError,
  reasonOf,
  ShapeError,
  TwhinError,
  UsageError,
} from '../errors/errors.ts';

/** An error as it crosses between threads: a class does not survive structured cloning. */
export interface WireError {
  readonly name: string;
  readonly code: string;
  readonly message: string;
  readonly stack: string | undefined;
}

/** Makes an error ready to cross. code, what: of one that is not ours. */
export function packError(error: unknown, code: string, what: string): WireError {
  const known = error instanceof TwhinError;
  return {
    name: known ? error.name : 'FatalError',
    code: known ? error.code : code,
    message: known ? error.message : `${what}: ${reasonOf(error)}`,
    stack: error instanceof Error ? error.stack : undefined,
  };
}

/** The error on the other side: same class, code, message and stack. */
export function unpackError({ name, code, message, stack }: WireError): TwhinError {
  const error = make(name, code, message);
  if (stack !== undefined) error.stack = stack;
  return error;
}

function make(name: string, code: string, message: string): TwhinError {
  switch (name) {
    case 'RetryableError':
      return new RetryableError(code, message);
    case 'UsageError':
      return new UsageError(code, message);
    case 'BadEvent':
      return new BadEvent(code, message);
    case 'ShapeError':
      return new ShapeError(message);
    default:
      return new FatalError(code, message);
  }
}
