import { UsageError } from '../errors/errors.ts';

/** Where a key without a section is looked for: what a replay is most often given. */
const SECTIONS: Readonly<Record<string, readonly string[]>> = {
  model: ['dim', 'scorer', 'loss', 'beta', 'margin', 'negativeWeight', 'learningRate', 'unitBall'],
  training: [
    'kernel',
    'threads',
    'seed',
    'init',
    'initScale',
    'updatesPerEdge',
    'batchEdges',
    'chunkEdges',
    'uniformNegatives',
    'inBatchNegatives',
    'negativePool',
    'evaluatedEdges',
    'evaluatedCandidates',
  ],
};

/**
 * A configuration with `key=value` settings put over it: `dim=64`, `model.learningRate=0.05`, `preset=twhin`.
 * The input is left as it is; whether a setting fits is for the schema to say.
 * @throws UsageError when one is not of that form.
 */
export function withSettings(input: unknown, settings: readonly string[]): unknown {
  if (settings.length === 0) return input;
  const result = copied(input);
  for (const setting of settings) {
    const at = setting.indexOf('=');
    if (at < 1) {
      throw new UsageError(
        'set',
        `--set: expected key=value, such as dim=64, seen ${JSON.stringify(setting)}`,
      );
    }
    put(result, pathOf(setting.slice(0, at).trim()), parsed(setting.slice(at + 1).trim()));
  }
  return result;
}

/** Keys that settings are about, such as `model.dim` of `dim=64`. */
export function keysOf(settings: readonly string[]): string[] {
  return settings.map((setting) => pathOf((setting.split('=')[0] ?? '').trim()).join('.'));
}

/** The same input with other values, by key such as `publish.epsilon`. */
export function withValues(input: unknown, values: ReadonlyMap<string, unknown>): unknown {
  const result = copied(input);
  for (const [key, value] of values) put(result, key.split('.'), value);
  return result;
}

function pathOf(key: string): string[] {
  const section = Object.entries(SECTIONS).find(([, keys]) => keys.includes(key))?.[0];
  return section === undefined ? key.split('.') : [section, key];
}

/** Numbers, true and false as such; anything else is text. */
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

/** An object of its own with the same entries; anything that is none counts as empty and is refused by the schema. */
function copied(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? Object.fromEntries(Object.entries(value)) : {};
}
