import { z } from 'zod';
import {
  ENTITY_TYPES,
  type EntityKey,
  entityKey,
  idOf,
  MAX_ID_BYTES,
  parseEntityKey,
  typeOf,
} from '../src/graph/entity.ts';
import { readInstant, readSeconds } from './instant.ts';
import { Problem, seen } from './reasons.ts';

/** A field of an event: parses the sent value. */
export type Field<T> = z.ZodType<T, unknown>;

/** Makes a field from a function that returns the value or a problem. It is a check that puts the value in place: a transform of zod makes three times the garbage. */
export function field<T>(read: (sent: unknown) => T | Problem): Field<T> {
  return z.custom<T>().check((payload) => {
    const value = read(payload.value);
    if (!(value instanceof Problem)) payload.value = value;
    else {
      const { message, reason } = value;
      payload.issues.push({ code: 'custom', message, params: { reason }, input: payload.value });
    }
  });
}

/** C0, DEL, C1, and lone surrogates, which UTF-8 can't encode. */
const UNPRINTABLE = /[\p{Cc}\p{Cs}]/u;
const BLANK = /^\s*$/u;

/** An id as text, or a problem. 123 and "123" are the same id. */
export function readId(sent: unknown): string | Problem {
  if (typeof sent === 'number') {
    if (Number.isSafeInteger(sent)) return String(sent);
    return new Problem('unsafe-integer', `${sent} is not a safe integer; send the id as a string`);
  }
  if (typeof sent !== 'string') {
    return new Problem('wrong-shape', `expected a string or an integer, seen ${seen(sent)}`);
  }
  if (BLANK.test(sent)) return new Problem('empty-id', `the id is empty, seen ${seen(sent)}`);
  // A UTF-16 unit is at most three bytes of UTF-8, so most ids need no count.
  if (sent.length * 3 > MAX_ID_BYTES) {
    const bytes = Buffer.byteLength(sent);
    if (bytes > MAX_ID_BYTES) {
      return new Problem('id-too-long', `${bytes} bytes, at most ${MAX_ID_BYTES} are allowed: ${seen(sent)}`);
    }
  }
  if (UNPRINTABLE.test(sent)) {
    return new Problem('control-characters', `control characters or lone surrogates in ${seen(sent)}`);
  }
  return sent;
}

/** Unicode white space. \s leaves out U+0085. */
const SPACES = /[\s\u0085]+/gu;

/** The normal form of a query: NFKC, trimmed, lower case, single spaces. Idempotent. */
export function normalizeQuery(text: string): string {
  // Lower case can bring back characters that NFKC composes, hence the second pass.
  const folded = text.normalize('NFKC').toLowerCase().normalize('NFKC');
  return folded.replace(SPACES, ' ').trim();
}

/** The entity that a person typed. A query is normalized as events are, so it can be typed as it was searched. */
export function typedEntity(text: string): EntityKey {
  const key = parseEntityKey(text);
  return typeOf(key) === 'query' ? entityKey('query', normalizeQuery(idOf(key))) : key;
}

function readQuery(sent: unknown): string | Problem {
  return readId(typeof sent === 'string' ? normalizeQuery(sent) : sent);
}

function readEntity(sent: unknown, types: readonly string[]): EntityKey | Problem {
  if (typeof sent !== 'string') return new Problem('wrong-shape', `expected TYPE:ID, seen ${seen(sent)}`);
  const colon = sent.indexOf(':');
  const type = sent.slice(0, Math.max(colon, 0));
  if (!types.includes(type)) {
    return new Problem(
      'wrong-shape',
      `expected TYPE:ID with a type of ${types.join(', ')}, seen ${seen(sent)}`,
    );
  }
  const id = sent.slice(colon + 1);
  const read = type === 'query' ? readQuery(id) : readId(id);
  return read instanceof Problem ? read : entityKey(type, read);
}

/** An id: a non-empty string of up to 256 bytes without control characters, or a safe integer. Parsed as a string. */
export const idField: Field<string> = field(readId);

/** A time: epoch milliseconds, or ISO 8601 with a zone. Parsed as epoch milliseconds. */
export const instantField: Field<number> = field(readInstant);

/** A time in epoch seconds, with or without a fraction. Parsed as epoch milliseconds. */
export const secondsField: Field<number> = field(readSeconds);

/** A search query. Parsed as its normal form, which is the id of the query. */
export const queryField: Field<string> = field(readQuery);

/** `TYPE:ID` with one of `types`. The id of a query is normalised as in {@link queryField}. */
export function entityField(types: readonly string[] = ENTITY_TYPES): Field<EntityKey> {
  return field((sent) => readEntity(sent, types));
}

/** One of the keys of `actions`. Parsed as the value of that key. */
export function actionField<const T>(actions: Readonly<Record<string, T>>): Field<T> {
  // A Map, since the object itself would accept `constructor` and `__proto__`.
  const known = new Map(Object.entries(actions));
  const expected = [...known.keys()].join(', ');
  return field((sent) => {
    if (typeof sent !== 'string') {
      return new Problem('wrong-shape', `expected one of ${expected}; seen ${seen(sent)}`);
    }
    return (
      known.get(sent) ?? new Problem('unknown-action', `expected one of ${expected}; seen ${seen(sent)}`)
    );
  });
}
