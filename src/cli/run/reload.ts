import type { Change } from '../../config/changes.ts';
import type { Configuration } from '../../config/configuration.ts';
import type { Config } from '../../config/resolve.ts';
import { reasonOf } from '../../errors/errors.ts';
import { differences } from '../../graph/head.ts';
import { graphOf } from '../../graph/shard.ts';
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
      const { configuration, changes, asRead } = await this.#configuration.readAgain();
      if (stopping.aborted) return;
      // From here on there is no await, so that no graph or batch sees one half of each configuration.
      const retunings = runs.map((run) => run.retuning(configuration));
      const remade = remadeBy(asRead, this.#configuration.config, runs);
      this.#configuration = configuration;
      for (const retune of retunings) retune();
      const { logLevel } = configuration.config;
      logging.level = louder(logging.level, logLevel);
      say(changes, { runs, remade }, logging.verbose, log);
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

/** The graphs that run here, and are of another model with the new configuration. */
function remadeBy(now: Config, before: Config, runs: readonly GraphRun[]): string[] {
  const modelOf = ({ graphs }: Config, name: string) => graphs.find((graph) => graph.name === name)?.model;
  const names = runs.flatMap(({ graph }) => {
    const [old, next] = [modelOf(before, graph.name), modelOf(now, graph.name)];
    return old && next && differences(old, next).length > 0 ? [graphOf(graph)] : [];
  });
  return [...new Set(names)];
}

function say(
  changes: readonly Change[],
  { runs, remade }: { readonly runs: readonly GraphRun[]; readonly remade: readonly string[] },
  verbose: boolean,
  log: Log,
): void {
  if (changes.length === 0) log.info({}, 'the configuration was read again: nothing has changed');
  for (const { key, counts, before, after } of changes) {
    const overruled = verbose && key === 'log.level';
    const change = `${key}: ${before} → ${after}`;
    const fields = { key, before, after };
    const ofModel = counts === 'in a new store' || key === 'graphs';
    if (ofModel && remade.length > 0)
      log.warn(fields, `configuration needs a new store: ${change}; ${wayOf(remade)}`);
    else if (counts === 'at once' && !overruled) log.info(fields, `configuration applied: ${change}`);
    else log.warn(fields, `configuration needs a restart: ${change}${overruled ? ', --verbose wins' : ''}`);
    for (const { graph, own } of runs) {
      if (counts !== 'at once' || !own.includes(key)) continue;
      log.info({ graph: graph.name, key }, `${key} stays: the live store has a value of its own, from --set`);
    }
  }
}

/** What to do where a store keeps another model. */
function wayOf(graphs: readonly string[]): string {
  const commands = graphs.map(
    (graph) => `twhin replay --graph ${graph} --into NAME, then twhin replay promote NAME --graph ${graph}`,
  );
  return `a restart with it is refused. Replay and promote: ${commands.join('; ')}`;
}
