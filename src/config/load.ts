import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { z } from 'zod';
import { actionField, entityField, idField, instantField, secondsField } from '../../topics/fields.ts';
import { defineTopic } from '../../topics/topic.ts';
import { reasonOf, UsageError } from '../errors/errors.ts';
import { entityKey } from '../graph/entity.ts';
import { readEnvironment } from './environment.ts';
import { fileProblems } from './file-problems.ts';
import { withSettings } from './overrides.ts';
import { withPreset } from './presets.ts';
import { type Config, resolveConfig } from './resolve.ts';
import { type ConfigInput, configFileSchema } from './schema.ts';

/** The argument of a configuration file's function: with it the file needs no imports and works in any folder. */
export const CONFIG_KIT = {
  z,
  defineTopic,
  idField,
  instantField,
  secondsField,
  actionField,
  entityField,
  entityKey,
} as const;

/** The default export of a `twhin.config.ts`, where it is a function. */
export type ConfigureTwhin = (kit: typeof CONFIG_KIT) => ConfigInput;

export const CONFIG_FILE = 'twhin.config.ts';

/** Gives the frozen configuration. settings: `key=value` over the file's values, see {@link withSettings}. */
export type ConfigSource = (settings?: readonly string[]) => Promise<Config>;

/** Reads environment and file once; each call checks both. @throws UsageError with a line for each problem: key, expected, seen. */
export function configSource(env: NodeJS.ProcessEnv, cwd: string): ConfigSource {
  const { environment, check } = checking(env, cwd);
  let reading: ReturnType<typeof readConfigFile> | undefined;
  return async (settings = []) => {
    reading ??= readConfigFile(environment.configFile, cwd);
    const file = await reading;
    return check(file === undefined ? {} : file.input, settings, file?.path);
  };
}

/** The configuration of a {@link configSource} that is read now. */
export function loadConfig(
  env: NodeJS.ProcessEnv,
  cwd: string,
  settings?: readonly string[],
): Promise<Config> {
  return configSource(env, cwd)(settings);
}

/** As {@link loadConfig}, with what a file would export given. */
export function configOf(
  content: ConfigInput | ConfigureTwhin,
  env: NodeJS.ProcessEnv,
  cwd: string,
  settings: readonly string[] = [],
): Config {
  const input = typeof content === 'function' ? content(CONFIG_KIT) : content;
  return checking(env, cwd).check(input, settings);
}

/** The environment, read once, and what checks a file's content with settings over it, by itself and together with the environment. */
function checking(env: NodeJS.ProcessEnv, cwd: string) {
  const wrong: string[] = [];
  const environment = readEnvironment(env, wrong);
  /** @throws UsageError as {@link configSource} does. */
  const check = (content: unknown, settings: readonly string[], path?: string): Config => {
    const problems = [...wrong];
    const input = withSettings(content, settings);
    const parsed = configFileSchema.safeParse(withPreset(input));
    if (!parsed.success) problems.push(...fileProblems(parsed.error, input));
    const file = parsed.success ? parsed.data : configFileSchema.parse({});
    const config = resolveConfig(file, environment, cwd, problems);
    if (problems.length === 0 && config !== undefined) return Object.freeze({ ...config, file: path });
    const s = problems.length === 1 ? '' : 's';
    throw UsageError.listing(`the configuration has ${problems.length} problem${s}`, problems);
  };
  return { environment, check };
}

/** The content of a configuration file, unchecked; undefined where none was named and the default one does not exist. */
async function readConfigFile(
  named: string | undefined,
  cwd: string,
): Promise<{ readonly path: string; readonly input: unknown } | undefined> {
  const path = resolve(cwd, named ?? CONFIG_FILE);
  if (!existsSync(path)) {
    if (named === undefined) return undefined;
    throw new UsageError(`TWHIN_CONFIG: there is no file ${path}`);
  }
  try {
    const module: { default?: unknown } = await import(pathToFileURL(path).href);
    const exported = module.default;
    if (exported === undefined) throw new Error('it has no default export');
    return { path, input: typeof exported === 'function' ? await exported(CONFIG_KIT) : exported };
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new UsageError(`${placeOf(error, path)} can't be used: ${reasonOf(error)}${hintFor(error)}`, {
      cause: error,
    });
  }
}

/** Where the error is, as FILE:LINE:COLUMN, as far as Node's stack trace says; else the file that was read. */
function placeOf(error: unknown, path: string): string {
  const stack = error instanceof Error ? (error.stack ?? '') : '';
  const url = pathToFileURL(path).href;
  // What the file's code threw: a frame of the file.
  const frame = stack.split('\n').find((line) => line.includes(url));
  const [, thrown] = /:(\d+:\d+)\)?$/.exec(frame ?? '') ?? [];
  if (thrown !== undefined) return `${path}:${thrown}`;
  // What the parser of TypeScript refuses: FILE:LINE, the lines around, and carets below the place.
  const [first = '', ...rest] = stack.split('\n');
  const carets = rest.find((line) => /^ *\^+$/.test(line));
  if (carets === undefined || !/:\d+$/.test(first)) return path;
  return `${first}:${carets.indexOf('^') + 1}`;
}

/** `npm init` makes CommonJS packages; Node's message for a module in one does not say what to do. */
function hintFor(error: unknown): string {
  const isTakenForCommonJs = /Unexpected token 'export'|Cannot use import statement/.test(reasonOf(error));
  return isTakenForCommonJs ? `; put "type": "module" into the package.json beside or above it` : '';
}
