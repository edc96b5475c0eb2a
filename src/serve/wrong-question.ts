import { UsageError } from '../errors/errors.ts';

/** The error of a question that can't be answered as it is asked. field: the wrong one. */
export function wrongQuestion(field: string, reason: string): UsageError {
  return new UsageError(`${field}: ${reason}`, { field });
}
