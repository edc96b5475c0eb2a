import { z } from 'zod';
import { BadEvent, reasonOf, UsageError } from '../src/errors/errors.ts';
import type { EdgeChange, Erasure, GraphChange, Relation } from '../src/graph/edge.ts';
import { type EntityKey, MAX_ID_BYTES } from '../src/graph/entity.ts';
import { badEvent, REASONS, type Reason, rankOf, seen } from './reasons.ts';

/** A valid event. */
export interface ReadEvent {
  /** The id of the acting entity, and the key of the record: events of one key stay in order. */
  readonly key: string;
  readonly changes: readonly GraphChange[];
}

/** How long a topic keeps its records, in ms. */
export type Retention = number | 'unlimited';

/** The names of a topic: in the configuration and, where that is another, on the cluster. */
export interface TopicNames {
  /** In the configuration; on the cluster it comes after the prefix. */
  readonly name: string;
  /** The whole name on the cluster, without a prefix. */
  readonly topic?: string | undefined;
}

/** An event topic: how its records are read, and how the topic is kept. The type of its events stays inside. */
export interface EventTopic extends TopicNames {
  readonly partitions: number;
  /** Absent: as long as the configuration says. */
  readonly retentionMs?: Retention | undefined;
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

/** What `changes` may return: edges of the relations `R`, and erasures. */
export type ChangeOf<R extends Relation> = (EdgeOf<R> & { readonly relation: R['name'] }) | Erasure;

/** An edge of one of the relations `R`, with its types at the ends. */
type EdgeOf<R extends Relation> = R extends Relation
  ? Omit<EdgeChange, 'lhs' | 'relation' | 'rhs'> & {
      readonly lhs: EntityKey<R['lhs']>;
      readonly relation: R['name'];
      readonly rhs: EntityKey<R['rhs']>;
    }
  : never;

/** The definition of a topic; `schema` decides the type of `event`. */
export interface TopicDefinition<Event, R extends Relation = Relation> {
  /** In the configuration; on the cluster it comes after the prefix, unless there is a `topic`. Default: `topic`. */
  readonly name?: string;
  /** The whole name on the cluster of a topic of somebody else, read as it is: never changed, and not created unless asked. */
  readonly topic?: string;
  /** A zod schema; build ids with `idField`, times with `instantField`, actions with `actionField`. */
  readonly schema: z.ZodType<Event>;
  readonly key: (event: Event) => string;
  /** The relations of the edges that `changes` makes. With them, TypeScript knows the names and types that fit. */
  readonly relations?: readonly R[];
  readonly changes: (event: Event) => readonly ChangeOf<R>[];
  /** The number of partitions of a topic that is created. Default: 4. */
  readonly partitions?: number;
  /** How long a topic that is created keeps its records: milliseconds or `'unlimited'`. Default: `eventRetentionMs`. */
  readonly retentionMs?: Retention;
}

/** Kafka's rules for the name of a topic. */
const TOPIC_NAME = /^(?!\.{1,2}$)[a-zA-Z0-9._-]{1,249}$/;

/** What is wrong with the name of a topic; undefined where Kafka accepts it. */
export function nameProblem(name: string): string | undefined {
  if (TOPIC_NAME.test(name)) return undefined;
  return `expected 1 to 249 letters, digits, dots, _ and -, and neither . nor .. alone; seen ${seen(name)}`;
}

function definitionProblems({
  name,
  topic = name,
  partitions,
  retentionMs = 'unlimited',
}: Pick<TopicDefinition<unknown>, 'topic' | 'retentionMs'> & { name: string; partitions: number }): string[] {
  const problems: string[] = [];
  const [ofName, ofTopic] = [nameProblem(name), nameProblem(topic)];
  if (ofName !== undefined) problems.push(`name: ${ofName}`);
  if (ofTopic !== undefined && topic !== name) problems.push(`topic: ${ofTopic}`);
  if (!(Number.isSafeInteger(partitions) && partitions > 0))
    problems.push(`partitions: expected 1 or more, seen ${seen(partitions)}`);
  if (retentionMs !== 'unlimited' && !(Number.isSafeInteger(retentionMs) && retentionMs > 0))
    problems.push(`retentionMs: expected milliseconds or 'unlimited', seen ${seen(retentionMs)}`);
  return problems;
}

/**
 * Makes an event topic.
 * @throws UsageError naming each field that is wrong.
 */
export function defineTopic<Event, const R extends Relation = Relation>(
  definition: TopicDefinition<Event, R>,
): EventTopic {
  const { topic, schema, key, changes, partitions = 4, retentionMs } = definition;
  const name = definition.name ?? topic ?? '';
  const problems = definitionProblems({ ...definition, name, partitions });
  if (problems.length > 0) {
    throw new UsageError(`the definition of topic ${seen(name)} is wrong: ${problems.join('; ')}`);
  }
  const parse = (json: unknown): Event => {
    const result = guarded(name, () => schema.safeParse(json));
    if (!result.success) throw worstOf(result.error, json);
    return result.data;
  };
  const keyOf = (event: Event): string => guarded(name, () => checkedKey(name, key(event)));
  const changesOf = (event: Event): readonly GraphChange[] =>
    guarded(name, () => checkedChanges(name, changes(event)));
  return {
    name,
    topic,
    partitions,
    retentionMs,
    read: (json) => {
      const event = parse(json);
      return { key: keyOf(event), changes: changesOf(event) };
    },
    keyOf: (json) => keyOf(parse(json)),
    changesOf: (json) => changesOf(parse(json)),
    definition: () =>
      JSON.stringify([
        name,
        topic,
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

/** A configuration in plain JavaScript may return anything. */
function checkedKey(name: string, key: unknown): string {
  if (typeof key === 'string') return key;
  throw badEvent('mapping-failed', `key of topic ${name}: expected a string, seen ${seen(key)}`);
}

/** Rejects what is no list of changes, and changes that the store can't hold. */
function checkedChanges(name: string, made: readonly GraphChange[]): readonly GraphChange[] {
  if (!Array.isArray(made)) {
    throw badEvent('mapping-failed', `changes of topic ${name}: expected an array, seen ${seen(made)}`);
  }
  for (const change of made) {
    const fits =
      Number.isSafeInteger(change.at) &&
      change.at > 0 &&
      ('erased' in change
        ? hasId(change.erased)
        : hasId(change.lhs) && hasId(change.rhs) && typeof change.removed === 'boolean');
    if (!('erased' in change) && change.blocked !== undefined && change.removed === false) {
      throw badEvent(
        'mapping-failed',
        `topic ${name} made a change with blocked: ${seen(change.blocked)} and removed: false; a block and an unblock leave no edge, so set removed: true`,
      );
    }
    if (fits) continue;
    throw badEvent(
      'mapping-failed',
      `topic ${name} made a change whose time is not a positive integer, whose id is empty, over ${MAX_ID_BYTES} bytes, or has a line break, or whose removed is not true or false; use idField and instantField`,
    );
  }
  return made;
}

function hasId(key: EntityKey): boolean {
  if (typeof key !== 'string') return false;
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
