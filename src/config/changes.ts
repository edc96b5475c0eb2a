import type { EventTopic } from '../../topics/topic.ts';
import { CONFIG_KEYS, type ConfigFile } from './schema.ts';

/** When a changed key takes effect: in the running process, in the next one, or in a store that is trained with it. */
export type Counts = 'at once' | 'after a restart' | 'in a new store';

/**
 * Keys whose value is read each time it is used: see `Tuning`. The value of every other key is built into something that a
 * running process holds (tables, groups, a store of one model), or decides what a graph learns.
 */
const AT_ONCE: ReadonlySet<string> = new Set([
  'training.batchEdges',
  'training.lingerMs',
  'commit.everyEdges',
  'commit.everyMs',
  'commit.mostRows',
  'publish.epsilon',
  'publish.maxAgeMs',
  'publish.maxOutbox',
  'limits.queueBytes',
  'limits.readyLagMs',
  'limits.stopMs',
  'log.level',
]);

/** Keys of the model, which a store keeps from its first commit on: a process with another one does not start on it. */
const IN_A_NEW_STORE: ReadonlySet<string> = new Set([
  'model.dim',
  'model.scorer',
  'relations',
  'entityTypes',
]);

/** Every key of a configuration file, and when a change of its value takes effect. */
export const KEYS: readonly { readonly key: string; readonly counts: Counts }[] = CONFIG_KEYS.map((key) => ({
  key,
  counts: AT_ONCE.has(key) ? 'at once' : IN_A_NEW_STORE.has(key) ? 'in a new store' : 'after a restart',
}));

/** A key with different values in two configuration files. Values are text for people; no key holds a secret. */
export interface Change {
  readonly key: string;
  readonly counts: Counts;
  readonly before: string;
  readonly after: string;
}

const LONGEST = 200;

/** Every key whose value differs. overruled: keys that the environment decides, whatever the files say. */
export function changesOf(before: ConfigFile, after: ConfigFile, overruled: readonly string[]): Change[] {
  return KEYS.filter(({ key }) => !overruled.includes(key)).flatMap(({ key, counts }) => {
    const [old, now] = [valueAt(before, key.split('.')), valueAt(after, key.split('.'))];
    if (compared(old) === compared(now)) return [];
    const edited = editedTopics(old, now);
    // The names alone would be the same before and after.
    if (edited.length > 0 && shown(old) === shown(now))
      return [{ key, counts, before: `the definition of ${edited.join(', ')}`, after: 'another' }];
    return [{ key, counts, before: shown(old), after: shown(now) }];
  });
}

/** The value at a path; undefined where there is none. */
export function valueAt(input: unknown, path: readonly PropertyKey[]): unknown {
  let value = input;
  for (const step of path) {
    value = typeof value === 'object' && value !== null ? Reflect.get(value, step) : undefined;
  }
  return value;
}

/** Each reading of a file makes new topic objects, so topics are compared by their definitions. */
function compared(value: unknown): string | undefined {
  return JSON.stringify(value, (_, inner: unknown) => (isTopic(inner) ? inner.definition() : inner));
}

function shown(value: unknown): string {
  const text = JSON.stringify(value, (_, inner: unknown) => (isTopic(inner) ? inner.name : inner));
  if (text === undefined) return 'nothing';
  return text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text;
}

/** Names of topics in both lists whose definitions differ. */
function editedTopics(before: unknown, after: unknown): string[] {
  if (!Array.isArray(before) || !Array.isArray(after)) return [];
  const known = new Map(before.filter(isTopic).map((topic) => [topic.name, topic.definition()]));
  return after
    .filter(isTopic)
    .filter((topic) => known.has(topic.name) && known.get(topic.name) !== topic.definition())
    .map(({ name }) => name);
}

function isTopic(value: unknown): value is EventTopic {
  return typeof value === 'object' && value !== null && 'definition' in value && 'changesOf' in value;
}
