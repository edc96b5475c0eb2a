import type { Command } from 'commander';
import type { TrainingWatch } from '../compose/replay.ts';
import type { ConfigSource } from '../config/load.ts';
import { PLACES } from '../config/overrides.ts';
import { UsageError } from '../errors/errors.ts';
import { readRange } from '../replay/bound.ts';
import { liveSettings } from '../state/places.ts';
import type { CommandContext } from './context.ts';
import { count, duration } from './format.ts';
import { collect } from './options.ts';
import { selectParts } from './select.ts';

/** The options of a command that trains on a range of the topics, as typed. */
export interface TrainingOptions {
  readonly graph?: string;
  readonly from: string;
  readonly until: string;
  readonly set: readonly string[];
}

export function withTrainingOptions(command: Command): Command {
  return command
    .option('--graph <name>', 'the graph whose topics are read')
    .option('--from <start>', 'start: earliest, offsets, a time, or a time before now', 'earliest')
    .option('--until <end>', 'end: latest, offsets, a time, or a time before now', 'latest')
    .option('--set <key=value>', 'a setting that overrides the configuration; may be repeated', collect, []);
}

/**
 * The graph, the range and the settings that were asked for, as far as they are right; `problems` gets a line for each that is not.
 * config: with the settings of the live store, and those of the command over them.
 */
export async function readTraining(options: TrainingOptions, load: ConfigSource, problems: string[]) {
  const plain = await load();
  const parts = selectParts(plain, options.graph);
  for (const each of options.set.filter((setting) => PLACES.test(setting))) {
    problems.push(
      `--set: events and stores stay where the live graph has them; seen ${JSON.stringify(each)}`,
    );
  }
  const set = [...liveSettings(parts), ...options.set];
  const config = await noting(problems, () => load(set));
  const reading = { nowMs: Date.now(), topics: parts[0].topics, prefix: plain.topicPrefix };
  return { plain, parts, set, config, range: readRange(options, reading, problems) };
}

/** undefined: the UsageError of `work` was added to the problems. */
export async function noting<T>(problems: string[], work: () => T | Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    problems.push(error.message);
    return undefined;
  }
}

/** Says how far a training is. fields: for the log. */
export function trainingTeller(fields: object, tell: CommandContext['tell']): TrainingWatch['tell'] {
  return ({ phase, done, of, perSecond }) => {
    const leftMs = perSecond > 0 ? (1_000 * (of - done)) / perSecond : 0;
    const toGo = leftMs > 0 ? `, ${duration(leftMs)} to go` : '';
    const pace = { perSecond: Math.round(perSecond), leftS: Math.round(leftMs / 1_000) };
    const line = `${phase}: ${count(done)} of ${count(of)} records, ${count(perSecond)}/s${toGo}`;
    tell(line, { ...fields, phase, done, of, ...pace });
  };
}
