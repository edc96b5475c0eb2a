import type { Change } from '../../config/changes.ts';
import type { Configuration } from '../../config/configuration.ts';
import { reasonOf } from '../../errors/errors.ts';
import { LOG_LEVELS, type Log, type LogLevel } from '../../log.ts';
import type { ReloadResult } from '../../metrics/process.ts';
import type { Logging } from '../logging.ts';
import type { GraphRun } from './graph-run.ts';

export interface ReloadOptions {
  readonly runs: readonly GraphRun[];
  readonly log: Log;
  readonly logging: Pick<Logging, 'level' | 'verbose'>;
  /** Once aborted, the configuration is not read any more. */
  readonly stopping: AbortSignal;
  /** Called with the result of each reload. */
  readonly told: (result: ReloadResult) => void;
}

/** The configuration in force. A reload applies all of the new configuration, or nothing of it and logs the reasons. */
export class Reload {
  #configuration: Configuration;
  #asked = false;
  #reading = false;

  constructor(configuration: Configuration) {
    this.#configuration = configuration;
  }

  get configuration(): Configuration {
    return this.#configuration;
  }

  /** Reloads; never throws. A call during a reload causes one more reload. */
  async ask(options: ReloadOptions): Promise<void> {
    this.#asked = true;
    if (this.#reading) return;
    this.#reading = true;
    while (this.#asked && !options.stopping.aborted) {
      this.#asked = false;
      await this.#read(options);
    }
    this.#reading = false;
  }

  async #read({ runs, log, logging, stopping, told }: ReloadOptions): Promise<void> {
    try {
      const { configuration, changes } = await this.#configuration.readAgain();
      if (stopping.aborted) return;
      // From here on there is no await, so that no graph or batch sees one half of each configuration.
      const retunings = runs.map((run) => run.retuning(configuration));
      this.#configuration = configuration;
      for (const retune of retunings) retune();
      const { logLevel } = configuration.config;
      logging.level = louder(logging.level, logLevel);
      say(changes, runs, logging.verbose, log);
      logging.level = logLevel;
      told(changes.length > 0 ? 'applied' : 'unchanged');
    } catch (error) {
      log.error(
        { reason: reasonOf(error) },
        'the configuration was read again and refused; the one before stays',
      );
      told('refused');
    }
  }
}

/** Changes are logged at the more verbose of the two levels. */
function louder(a: LogLevel, b: LogLevel): LogLevel {
  return LOG_LEVELS.find((level) => level === a || level === b) ?? a;
}

function say(changes: readonly Change[], runs: readonly GraphRun[], verbose: boolean, log: Log): void {
  if (changes.length === 0) log.info({}, 'the configuration was read again: nothing has changed');
  for (const { key, counts, before, after } of changes) {
    const overruled = verbose && key === 'log.level';
    const change = `${key}: ${before} → ${after}`;
    const fields = { key, before, after };
    if (counts === 'at once' && !overruled) log.info(fields, `configuration applied: ${change}`);
    else log.warn(fields, `configuration needs a restart: ${change}${overruled ? ', --verbose wins' : ''}`);
    for (const { graph, own } of runs) {
      if (counts !== 'at once' || !own.includes(key)) continue;
      log.info({ graph: graph.name, key }, `${key} stays: the live store has a value of its own, from --set`);
    }
  }
}
