import { z } from 'zod';
import { BadEvent, reasonOf, UsageError } from '../src/errors/errors.ts';
import type { GraphChange } from '../src/graph/edge.ts';
import { type EntityKey, MAX_ID_BYTES } from '../src/graph/entity.ts';
import { badEvent, REASONS, type Reason, rankOf, seen } from './reasons.ts';

/** A valid event. */
export interface ReadEvent {
  /** The id of the acting entity, and the key of the record: events of one key stay in order. */
  readonly key: string;
  readonly changes: readonly GraphChange[];
}

/** An event topic: how its records are read, and how the topic is kept. The type of its events stays inside. */
export interface EventTopic {
  /** Without the prefix. */
  readonly name: string;
  readonly partitions: number;
  readonly retentionMs: number;
  /** @throws BadEvent with a code of REASONS when `json` is not an event of this topic. */
  read(json: unknown): ReadEvent;
  /** The key of the record for `json`. @throws BadEvent as `read`. */
  keyOf(json: unknown): string;
  /** The changes of `json` to the graph. @throws BadEvent as `read`. */
  changesOf(json: unknown): readonly GraphChange[];
  /**
   * A text that changes when the definition is edited: the source of its functions, and its schema as JSON Schema. Values
   * that a function takes from its scope are not included.
   */
  definition(): string;
}

/** The definition of a topic; `schema` decides the type of `event`. */
export interface TopicDefinition<Event> {
  readonly name: string;
  /** A zod schema; build ids with `idField`, times with `instantField`, actions with `actionField`. */
  readonly schema: z.ZodType<Event>;
  readonly key: (event: Event) => string;
  readonly changes: (event: Event) => readonly GraphChange[];
  /** Default: 4. */
  readonly partitions?: number;
  /** Default: a week. */
  readonly retentionMs?: number;
}

const WEEK_MS = 7 * 24 * 3_600_000;
/** Topic names that Kafka accepts; the prefix needs some of Kafka's 249 characters. */
const TOPIC_NAME = /^[a-zA-Z0-9._-]{1,200}$/;

/**
 * Makes an event topic.
 * @throws UsageError when Kafka does not accept the name.
 */
export function defineTopic<Event>(definition: TopicDefinition<Event>): EventTopic {
  const { name, schema, key, changes } = definition;
  if (!TOPIC_NAME.test(name)) {
    throw new UsageError('topic-name', `not a topic name: ${seen(name)}; use letters, digits, dots, _ and -`);
  }
  const parse = (json: unknown): Event => {
    const result = guarded(name, () => schema.safeParse(json));
    if (!result.success) throw worstOf(result.error, json);
    return result.data;
  };
  const keyOf = (event: Event): string => guarded(name, () => key(event));
  const changesOf = (event: Event): readonly GraphChange[] => {
    const made = guarded(name, () => changes(event));
    for (const change of made) checkChange(name, change);
    return made;
  };
  return {
    name,
    partitions: definition.partitions ?? 4,
    retentionMs: definition.retentionMs ?? WEEK_MS,
    read: (json) => {
      const event = parse(json);
      return { key: keyOf(event), changes: changesOf(event) };
    },
    keyOf: (json) => keyOf(parse(json)),
    changesOf: (json) => changesOf(parse(json)),
    definition: () =>
      JSON.stringify([
        name,
        definition.partitions,
        definition.retentionMs,
        String(key),
        String(changes),
        z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }),
      ]),
  };
}

/** Runs code of the topic's definition. If the code throws, this record is rejected, and the stream goes on. */
function guarded<T>(name: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof BadEvent) throw error;
    const reason = reasonOf(error).slice(0, 200);
    throw badEvent(
      'mapping-failed',
      `the definition of topic ${name} failed on this event: ${reason}`,
      error,
    );
  }
}

/** Rejects changes that the store can't hold, from topics defined without `idField` and `instantField`. */
function checkChange(name: string, change: GraphChange): void {
  const fits =
    Number.isSafeInteger(change.at) &&
    change.at > 0 &&
    ('erased' in change ? hasId(change.erased) : hasId(change.lhs) && hasId(change.rhs));
  if (!fits) {
    throw badEvent(
      'mapping-failed',
      `topic ${name} made a change whose time is not a positive integer, or whose id is empty, over ${MAX_ID_BYTES} bytes, or has a line break; use idField and instantField`,
    );
  }
}

function hasId(key: EntityKey): boolean {
  const start = key.indexOf(':') + 1;
  // A line break separates the parts of an edge's name.
  if (start < 2 || start === key.length || key.includes('\n')) return false;
  const units = key.length - start;
  return units * 3 <= MAX_ID_BYTES || Buffer.byteLength(key.slice(start)) <= MAX_ID_BYTES;
}

/** The issue that is first in the order of REASONS, as an error that names the field and shows the value. */
function worstOf(error: z.ZodError, json: unknown): BadEvent {
  let worst: { reason: Reason; message: string } | undefined;
  for (const issue of error.issues) {
    const params: unknown = issue.code === 'custom' ? issue.params?.['reason'] : undefined;
    const known = REASONS.find((reason) => reason === params);
    const reason = known ?? 'wrong-shape';
    if (worst !== undefined && rankOf(worst.reason) <= rankOf(reason)) continue;
    const where = issue.path.length === 0 ? 'the event' : issue.path.map(String).join('.').slice(0, 100);
    const message =
      known === undefined
        ? `${issue.message.slice(0, 200)}, seen ${seen(valueAt(json, issue.path))}`
        : issue.message;
    worst = { reason, message: `${where}: ${message}` };
  }
  return badEvent(worst?.reason ?? 'wrong-shape', worst?.message ?? 'the event does not fit the schema');
}

function valueAt(json: unknown, path: readonly PropertyKey[]): unknown {
  let value: unknown = json;
  for (const step of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, step)) return undefined;
    value = Reflect.get(value, step);
  }
  return value;
}
