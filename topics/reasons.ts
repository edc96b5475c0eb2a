import { BadEvent } from '../src/errors/errors.ts';

/**
 * Why a record can't be used: the `code` of its BadEvent and of its dead letter. Where several reasons hold, the first in
 * this order is given.
 */
export const REASONS = [
  'null-value',
  'too-large',
  'not-json',
  'too-deep',
  'forbidden-field',
  'wrong-shape',
  'unknown-action',
  'empty-id',
  'id-too-long',
  'control-characters',
  'unsafe-integer',
  'bad-instant',
  'looks-like-seconds',
  'in-the-future',
  'mapping-failed',
] as const;

export type Reason = (typeof REASONS)[number];

/** What is wrong with a field. The message does not name the field; the reader of the record adds the name. */
export class Problem {
  readonly reason: Reason;
  readonly message: string;

  constructor(reason: Reason, message: string) {
    this.reason = reason;
    this.message = message;
  }
}

/** A BadEvent whose code is one of {@link REASONS}. */
export function badEvent(reason: Reason, message: string, cause?: unknown): BadEvent {
  return new BadEvent(reason, message, cause === undefined ? undefined : { cause });
}

/** The place of a reason in {@link REASONS}. */
export function rankOf(reason: Reason): number {
  return REASONS.indexOf(reason);
}

/** Most characters of a value in a message, since messages are in a header and on a log line. */
const SEEN_CHARS = 60;

/** A value as shown in a message: one line, printable, of limited length. */
export function seen(value: unknown): string {
  if (typeof value === 'string') {
    const shown = value.length > SEEN_CHARS ? `${value.slice(0, SEEN_CHARS)}…` : value;
    // JSON escapes C0 and lone surrogates, but not DEL and C1.
    return JSON.stringify(shown).replace(/\p{Cc}/gu, escaped);
  }
  if (value === undefined) return 'nothing';
  if (Array.isArray(value)) return 'an array';
  if (typeof value === 'object' && value !== null) return 'an object';
  return String(value);
}

function escaped(char: string): string {
  return `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
