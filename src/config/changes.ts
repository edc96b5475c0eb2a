import type { EventTopic } from '../../topics/topic.ts';
import { type Counts, KEYS } from './reloading.ts';
import type { ConfigFile } from './schema.ts';

/** A key that one configuration file says otherwise than another. Values are text to be shown; no key holds a secret. */
export interface Change {
  readonly key: string;
  readonly counts: Counts;
  readonly before: string;
  readonly after: string;
}

const LONGEST = 200;

/** Every key that differs. overruled: keys of which neither file decides. */
export function changesOf(before: ConfigFile, after: ConfigFile, overruled: readonly string[]): Change[] {
  return KEYS.filter(({ key }) => !overruled.includes(key)).flatMap(({ key, counts }) => {
    const [old, now] = [valueAt(before, key), valueAt(after, key)];
    if (compared(old) === compared(now)) return [];
    return [{ key, counts, before: shown(old), after: shown(now) }];
  });
}

/** What a file says of a key; undefined: nothing. */
export function valueAt(file: ConfigFile, key: string): unknown {
  let value: unknown = file;
  for (const step of key.split('.')) {
    value = typeof value === 'object' && value !== null ? Reflect.get(value, step) : undefined;
  }
  return value;
}

/** Topics are made anew each time a file is read; whether one is the same is for its definition to say. */
function compared(value: unknown): string | undefined {
  return JSON.stringify(value, (_, inner: unknown) => (isTopic(inner) ? inner.definition() : inner));
}

function shown(value: unknown): string {
  const text = JSON.stringify(value, (_, inner: unknown) => (isTopic(inner) ? inner.name : inner));
  if (text === undefined) return 'nothing';
  return text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text;
}

function isTopic(value: unknown): value is EventTopic {
  return typeof value === 'object' && value !== null && 'definition' in value && 'changesOf' in value;
}
