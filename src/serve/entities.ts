import { reasonOf, UsageError } from '../errors/errors.ts';
import { type EntityKey, isOfType, typeOf } from '../graph/entity.ts';
import type { OwnEdge } from './activity/activity.ts';
import type { RecentAnswer } from './answers.ts';
import { readEntity, refuseUnread, type ServedGraph, typesOf, wrongQuestion } from './served-graph.ts';

/** The type of the entities that are named by an id alone. */
const USER = 'user';
/** Items of an answer, unless said. */
export const DEFAULT_ITEMS = 20;

/** A user, from an id with or without `user:`. @throws UsageError for an entity of another type, and as `readEntity`. */
export function userKey(id: string): EntityKey {
  return keyOfType(USER, id);
}

/** An entity of a type, from an id with or without the type. @throws as `userKey`. */
export function keyOfType(type: string, id: string): EntityKey {
  const start = `${type}:`;
  if (id.startsWith(start)) return readEntity(id);
  if (!id.includes(':')) return readEntity(start + id);
  const seen = JSON.stringify(id);
  throw new UsageError(`expected a ${type}, seen ${seen}; an id with a colon needs ${start} before it`);
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
export function keysOf(field: string, texts: readonly string[] = []): EntityKey[] {
  return texts.map((each, i) => keyOf(`${field}.${i}`, each));
}

/** The subject of a question: an entity as `TYPE:ID`, or a user by the id alone. */
export interface About {
  readonly from?: string | undefined;
  readonly user?: string | undefined;
}

/** The entity of a question, which may name a user by the id alone. @throws UsageError unless there is exactly one of the two. */
export function oneOf(field: string, entity: string | undefined, user: string | undefined): EntityKey {
  if (entity !== undefined && user === undefined) return keyOf(field, entity);
  if (entity === undefined && user !== undefined) return keyOf('user', user, userKey);
  const seen = user === undefined ? 'neither' : 'both';
  throw wrongQuestion(field, `expected either ${field}=TYPE:ID or user=ID, seen ${seen}`);
}

/** @throws UsageError for what is no number of items. */
export function countOf(field: string, count = DEFAULT_ITEMS): number {
  if (Number.isSafeInteger(count) && count > 0) return count;
  throw wrongQuestion(field, `expected a whole number from 1, seen ${count}`);
}

/** @throws UsageError for the first entity of another type. */
export function refuseOthers(field: string, type: string, entities: readonly EntityKey[]): void {
  const other = entities.findIndex((entity) => !isOfType(entity, type));
  if (other < 0) return;
  throw wrongQuestion(`${field}.${other}`, `expected ${type}:ID, seen ${JSON.stringify(entities[other])}`);
}

/** @throws UsageError for an entity of a type that none of the graphs has. */
export function refuseUnknown(
  field: string,
  graphs: readonly Pick<ServedGraph, 'relations'>[],
  entity: EntityKey,
): void {
  const types = typesOf(graphs);
  if (types.includes(typeOf(entity))) return;
  throw wrongQuestion(field, `expected TYPE:ID of ${types.join(', ')}, seen ${JSON.stringify(entity)}`);
}

export interface RecentAsked {
  /** As `TYPE:ID`; or a user. */
  readonly entity?: string | undefined;
  readonly user?: string | undefined;
  /** Most edges: 20 unless given. */
  readonly k?: number | undefined;
}

export interface EntitiesOptions {
  readonly graphs: readonly ServedGraph[];
  /** A number from 0 to below 1. */
  random(): number;
}

/** What is known of entities themselves: which there are, and what they did lately. */
export class Entities {
  readonly #options: EntitiesOptions;

  constructor(options: EntitiesOptions) {
    this.#options = options;
  }

  /** An entity of the type with a vector, in the first graph that has any; undefined where none has. @throws UsageError for a type that no graph has. */
  random(type: string): EntityKey | undefined {
    const { graphs, random } = this.#options;
    const types = typesOf(graphs);
    if (!types.includes(type))
      throw wrongQuestion('type', `expected one of ${types.join(', ')}, seen ${JSON.stringify(type)}`);
    for (const { spaces } of this.#read()) {
      const entity = spaces.current?.table(type)?.nameAt(random());
      if (entity !== undefined) return entity;
    }
    return undefined;
  }

  /** The entity's own edges, at most `k`; an edge that several graphs have, once. @throws UsageError for a type that no graph has. */
  recent(asked: RecentAsked): RecentAnswer {
    const { graphs } = this.#options;
    const entity = oneOf('entity', asked.entity, asked.user);
    const k = countOf('k', asked.k);
    refuseUnknown('entity', graphs, entity);
    const found = new Map<string, OwnEdge>();
    for (const { activity } of this.#read())
      for (const edge of activity.recent(entity, k)) {
        const name = `${edge.relation} ${edge.target}`;
        if ((found.get(name)?.at ?? 0) < edge.at) found.set(name, edge);
      }
    // Each graph's are in order: sorting keeps the order of those of one time.
    const edges = [...found.values()].sort((a, b) => b.at - a.at).slice(0, k);
    return { entity, items: edges.map(({ target, ...edge }) => ({ entity: target, ...edge })) };
  }

  /** The graphs that are read. @throws RetryableError `not-read` where none is. */
  #read(): readonly ServedGraph[] {
    const { graphs } = this.#options;
    const read = graphs.filter((graph) => graph.unready().length === 0);
    if (read.length === 0) refuseUnread(...graphs);
    return read;
  }
}
