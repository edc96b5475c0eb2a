import {
  BadEvent,
  FatalError,
  RetryableError,
  reasonOf,
  ShapeError,
  TwhinError,
  UsageError,
} from '../errors.ts';

/** URL of a thread's entry. source: its TypeScript file; a build has a JavaScript file of the same name. */
export function threadEntry(source: URL): URL {
  return import.meta.url.endsWith('.ts') ? source : new URL(source.href.replace(/\.ts$/, '.js'));
}

/** An error on its way between threads: structured cloning does not keep an error's class. */
export interface WireError {
  readonly name: string;
  readonly code: string;
  readonly message: string;
  readonly stack: string | undefined;
}

/** A thread's answer to a call that failed. */
export interface Failed {
  readonly kind: 'failed';
  readonly error: WireError;
}

/** The answer that carries `error` to the caller. code, what: name an error that is not a TwhinError. */
export function failed(error: unknown, code: string, what: string): Failed {
  return { kind: 'failed', error: packError(error, code, what) };
}

/** Turns an error into a message. code, what: name an error that is not a TwhinError. */
export function packError(error: unknown, code: string, what: string): WireError {
  const known = error instanceof TwhinError;
  return {
    name: known ? error.name : 'FatalError',
    code: known ? error.code : code,
    message: known ? error.message : `${what}: ${reasonOf(error)}`,
    stack: error instanceof Error ? error.stack : undefined,
  };
}

/** Turns the message back into an error of the same class, code, message and stack. */
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
