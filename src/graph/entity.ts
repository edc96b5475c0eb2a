import { UsageError } from '../errors/errors.ts';

declare const entityKeyBrand: unique symbol;

/** `type:id`, such as `user:123`, where `T` is the type. The id may contain colons, the type never does. */
export type EntityKey<T extends string = string> = string & { readonly [entityKeyBrand]: T };

/** Entity types of TwHIN; a configuration may add its own. */
export const ENTITY_TYPES = ['user', 'tweet', 'ad', 'advertiser', 'query'] as const;

export const COLON = 0x3a;

/** Largest id, in bytes of UTF-8. The store keeps the length less one in one byte. */
export const MAX_ID_BYTES = 256;

/** The key of an entity. Type and id must have been checked at the edge of the system. */
export function entityKey<T extends string>(type: T, id: string): EntityKey<T> {
  return `${type}:${id}` as EntityKey<T>;
}

/** The type of an entity, `user` of `user:123`. */
export function typeOf(key: EntityKey): string {
  return key.slice(0, key.indexOf(':'));
}

/** Whether the entity is of the type; makes no string, as `typeOf` does. */
export function isOfType(key: EntityKey, type: string): boolean {
  return key.charCodeAt(type.length) === COLON && key.startsWith(type);
}

/** The id of an entity, `123` of `user:123`. */
export function idOf(key: EntityKey): string {
  return key.slice(key.indexOf(':') + 1);
}

/**
 * Writes a key's UTF-8 from the character `from` on, and returns where it ends. An ASCII id, which nearly every one is, is written
 * faster here than by a call into Node.
 */
export function writeId(into: Buffer, at: number, key: string, from: number): number {
  let end = at;
  for (let i = from; i < key.length; i++) {
    const code = key.charCodeAt(i);
    if (code >= 0x80) return at + into.write(key.slice(from), at);
    into[end++] = code;
  }
  return end;
}

/** Parses the entity that a person typed. @throws UsageError when it is not `TYPE:ID` or the id is over {@link MAX_ID_BYTES}. */
export function parseEntityKey(text: string): EntityKey {
  const colon = text.indexOf(':');
  const id = text.slice(colon + 1);
  if (colon < 1 || id === '') {
    throw new UsageError(`not an entity: ${JSON.stringify(text)}; write TYPE:ID, such as user:123`);
  }
  if (Buffer.byteLength(id) > MAX_ID_BYTES) {
    throw new UsageError(`id of ${Buffer.byteLength(id)} bytes; at most ${MAX_ID_BYTES} are allowed`);
  }
  return text as EntityKey;
}
