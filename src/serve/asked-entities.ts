import { UsageError } from '../errors/errors.ts';
import { type EntityKey, isOfType, parseEntityKey, typeOf } from '../graph/entity.ts';
import { readEntity, type ServedGraph, USER } from './served-graph.ts';
import { QUERY } from './spaces.ts';

/** An entity of a type that the question can't be asked of. */
export class WrongEntity extends UsageError {
  /** Of the question. */
  readonly field: string;

  constructor(field: string, reason: string) {
    super('entity', `${field}: ${reason}`);
    this.field = field;
  }
}

/** A user, from an id with or without `user:`. @throws UsageError `entity` for an entity of another type, and as `parseEntityKey`. */
export function userKey(id: string): EntityKey {
  const start = `${USER}:`;
  if (id.startsWith(start)) return parseEntityKey(id);
  if (!id.includes(':')) return parseEntityKey(start + id);
  const seen = JSON.stringify(id);
  throw new UsageError(
    'entity',
    `expected a user, seen ${seen}; an id with a colon needs ${start} before it`,
  );
}

/** A query, by its text. @throws UsageError `entity` as `readEntity`. */
export function queryKey(text: string): EntityKey {
  return readEntity(`${QUERY}:${text}`);
}

/** An entity of a type. @throws UsageError `entity` for another type, and as `readEntity`. */
export function entityOf(type: string, text: string): EntityKey {
  const entity = readEntity(text);
  if (isOfType(entity, type)) return entity;
  throw new UsageError('entity', unlike(type, entity));
}

/** @throws WrongEntity for the first entity of another type. */
export function refuseOthers(field: string, type: string, entities: readonly EntityKey[]): void {
  const other = entities.findIndex((entity) => !isOfType(entity, type));
  if (other >= 0) throw new WrongEntity(`${field}.${other}`, unlike(type, entities[other]!));
}

/** @throws WrongEntity for an entity of a type that none of the graphs has. */
export function refuseUnknown(field: string, graphs: readonly ServedGraph[], entity: EntityKey): void {
  const types = new Set(graphs.flatMap(({ relations }) => relations.flatMap(({ lhs, rhs }) => [lhs, rhs])));
  if (types.has(typeOf(entity))) return;
  throw new WrongEntity(
    field,
    `expected TYPE:ID of ${[...types].join(', ')}, seen ${JSON.stringify(entity)}`,
  );
}

function unlike(type: string, entity: EntityKey): string {
  return `expected ${type}:ID, seen ${JSON.stringify(entity)}`;
}
