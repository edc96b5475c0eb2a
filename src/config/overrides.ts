import { UsageError } from '../errors/errors.ts';
import { CONFIG_KEYS } from './schema.ts';

/** Sections in which a key without a section is looked for: most settings of a replay are in these. */
const SECTIONS = ['model', 'training'];

/** Settings that say where a graph is read and written; those of one training must not change them. */
export const PLACES = /^\s*(state|topicPrefix|kafka|graphs\.[^.=]+\.shards)\b/;

/** A copy with `key=value` settings over it, such as `dim=64`; the schema checks values later. @throws UsageError for another form. */
export function withSettings(input: unknown, settings: readonly string[]): unknown {
  if (settings.length === 0) return input;
  const result = copied(input);
  for (const setting of settings) {
    const at = setting.indexOf('=');
    if (at < 1) {
      throw new UsageError(`--set: expected key=value, such as dim=64, seen ${JSON.stringify(setting)}`);
    }
    put(result, pathOf(setting.slice(0, at).trim()), parsed(setting.slice(at + 1).trim()));
  }
  return result;
}

/** The keys of settings: `model.dim` for `dim=64`. */
export function keysOf(settings: readonly string[]): string[] {
  return settings.map((setting) => pathOf((setting.split('=')[0] ?? '').trim()).join('.'));
}

function pathOf(key: string): string[] {
  const section = SECTIONS.find((each) => CONFIG_KEYS.includes(`${each}.${key}`));
  return section === undefined ? key.split('.') : [section, key];
}

/** A number, true or false; any other text stays text. */
function parsed(text: string): unknown {
  if (text === 'true' || text === 'false') return text === 'true';
  return text !== '' && Number.isFinite(Number(text)) ? Number(text) : text;
}

function put(into: Record<string, unknown>, [first = '', ...rest]: string[], value: unknown): void {
  if (rest.length === 0) {
    into[first] = value;
    return;
  }
  const inner = copied(into[first]);
  into[first] = inner;
  put(inner, rest, value);
}

/** A new object with the same entries. A value that is no object gives an empty one, which the schema refuses. */
function copied(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? Object.fromEntries(Object.entries(value)) : {};
}
