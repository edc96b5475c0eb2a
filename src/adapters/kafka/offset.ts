import { FatalError } from '../../errors/errors.ts';

/** An offset as a number. @throws FatalError past 2^53, where numbers stop being exact. */
export function safeOffset(offset: string, topic: string): number {
  const value = Number(offset);
  if (!Number.isSafeInteger(value)) {
    throw new FatalError('offset', `offset ${offset} of ${topic} is no safe integer; this log can't be read`);
  }
  return value;
}
