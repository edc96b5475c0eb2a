import { reasonOf, UsageError } from '../errors/errors.ts';
import { type EntityKey, isOfType, parseEntityKey, typeOf } from '../graph/entity.ts';
import { readEntity, type ServedGraph, typesOf, wrongQuestion } from './served-graph.ts';
import { QUERY } from './spaces.ts';

/** The type of the entities that are named by an id alone. */
const USER = 'user';

/** A user, from an id with or without `user:`. @throws UsageError for an entity of another type, and as `parseEntityKey`. */
export function userKey(id: string): EntityKey {
  return keyOfType(USER, id);
}

/** An entity of a type, from an id with or without the type. @throws as `userKey`. */
export function keyOfType(type: string, id: string): EntityKey {
  const start = `${type}:`;
  if (id.startsWith(start)) return parseEntityKey(id);
  if (!id.includes(':')) return parseEntityKey(start + id);
  const seen = JSON.stringify(id);
  throw new UsageError(`expected a ${type}, seen ${seen}; an id with a colon needs ${start} before it`);
}

/** A query, by its text. @throws UsageError as `readEntity`. */
export function queryKey(text: string): EntityKey {
  return readEntity(`${QUERY}:${text}`);
}

/** The entity that a field names. @throws UsageError naming the field. */
export function keyOf(
  field: string,
  text: string,
  read: (text: string) => EntityKey = readEntity,
): EntityKey {
  try {
    return read(text);
  } catch (error) {
    throw wrongQuestion(field, reasonOf(error));
  }
}

/** The entities that a field lists. @throws UsageError naming the place. */
export function keysOf(field: string, texts: readonly string[]): EntityKey[] {
  return texts.map((each, i) => keyOf(`${field}.${i}`, each));
}

/** The entity of a question, which may name a user by the id alone. @throws UsageError unless there is exactly one of the two. */
export function oneOf(field: string, entity: string | undefined, user: string | undefined): EntityKey {
  if (entity !== undefined && user === undefined) return keyOf(field, entity);
  if (entity === undefined && user !== undefined) return keyOf('user', user, userKey);
  const seen = user === undefined ? 'neither' : 'both';
  throw wrongQuestion(field, `expected either ${field}=TYPE:ID or user=ID, seen ${seen}`);
}

/** @throws UsageError for the first entity of another type. */
export function refuseOthers(field: string, type: string, entities: readonly EntityKey[]): void {
  const other = entities.findIndex((entity) => !isOfType(entity, type));
  if (other < 0) return;
  throw wrongQuestion(`${field}.${other}`, `expected ${type}:ID, seen ${JSON.stringify(entities[other])}`);
}

/** @throws UsageError for an entity of a type that none of the graphs has. */
export function refuseUnknown(field: string, graphs: readonly ServedGraph[], entity: EntityKey): void {
  const types = typesOf(graphs);
  if (types.includes(typeOf(entity))) return;
  throw wrongQuestion(field, `expected TYPE:ID of ${types.join(', ')}, seen ${JSON.stringify(entity)}`);
}
