import { randomUUID } from 'node:crypto';
import { UsageError } from '../errors/errors.ts';
import { type Change, changesOf, valueAt } from './changes.ts';
import { type Environment, readEnvironment } from './environment.ts';
import { checked, NOTHING_STARTED, readConfigFile } from './load.ts';
import { withSettings, withValues } from './overrides.ts';
import type { Config } from './resolve.ts';
import type { ConfigFile } from './schema.ts';

const NOTHING_CHANGED = 'nothing was changed';

/** Where a configuration is read from, at the start and again later. */
interface Origin {
  /** The environment at the start: it cannot change in a running process. */
  readonly environment: Environment;
  readonly cwd: string;
  /** Of the file; undefined where it did not exist at the last reading. */
  readonly path: string | undefined;
}

/** The configuration of a long-running process: the one it started with, and the changes that took effect since. */
export class Configuration {
  readonly config: Config;
  readonly #file: ConfigFile;
  readonly #origin: Origin;

  private constructor(parts: { file: ConfigFile; config: Config }, origin: Origin) {
    this.config = parts.config;
    this.#file = parts.file;
    this.#origin = origin;
  }

  /** @throws UsageError with every problem, a line each: key, what was expected, what was seen. */
  static async load(env: NodeJS.ProcessEnv, cwd: string): Promise<Configuration> {
    const problems: string[] = [];
    const environment = readEnvironment(env, problems);
    const { path, input } = await readConfigFile(environment.configFile, cwd);
    const origin = { environment, cwd, path: input === undefined ? input : path };
    return new Configuration(checked(input ?? {}, { ...origin, problems, so: NOTHING_STARTED }), origin);
  }

  /** The configuration with `key=value` settings over it. @throws UsageError where they contradict the rest. */
  with(settings: readonly string[]): Config {
    return settings.length === 0
      ? this.config
      : this.#check(withSettings(this.#file, settings), NOTHING_STARTED).config;
  }

  /**
   * Reads the file again, without the modules it imports. Gives every key whose value changed, and a configuration with
   * those changes that count at once; this object stays as it is. asRead: what a process that starts now would have.
   * @throws UsageError with every problem, as `load` does.
   */
  async readAgain(): Promise<{ configuration: Configuration; changes: readonly Change[]; asRead: Config }> {
    const { environment, cwd, path: before } = this.#origin;
    const { path, input } = await readConfigFile(environment.configFile, cwd, `?read=${randomUUID()}`);
    // An editor that replaces the file may remove it for a moment; nobody means all defaults by that.
    if (input === undefined && before !== undefined) throw new UsageError('configuration', `${path} is gone`);
    const { file, config: asRead } = this.#check(input ?? {}, NOTHING_CHANGED);
    const changes = changesOf(this.#file, file, overruledBy(environment));
    const atOnce = changes.filter(({ counts }) => counts === 'at once');
    const next = withValues(
      this.#file,
      new Map(atOnce.map(({ key }) => [key, valueAt(file, key.split('.'))])),
    );
    const origin = { ...this.#origin, path: input === undefined ? undefined : path };
    return { configuration: new Configuration(this.#check(next, NOTHING_CHANGED), origin), changes, asRead };
  }

  #check(input: unknown, so: string): ReturnType<typeof checked> {
    return checked(input, { ...this.#origin, problems: [], so });
  }
}

/** Keys that the environment decides, whatever the file says. */
function overruledBy({ brokers, state, topicPrefix, http }: Environment): string[] {
  const values = { 'kafka.brokers': brokers, state, topicPrefix, http };
  return Object.entries(values).flatMap(([key, value]) => (value === undefined ? [] : [key]));
}
