import { FatalError } from '../../errors/errors.ts';

/** An offset as a number. @throws FatalError `log-format` above 2^53, where numbers are no longer exact. */
export function safeOffset(offset: bigint, topic: string): number {
  const value = Number(offset);
  if (Number.isSafeInteger(value)) return value;
  throw new FatalError(
    'log-format',
    `offset ${offset} of ${topic} is past 2^53; the topic can't be read: make it anew`,
  );
}
