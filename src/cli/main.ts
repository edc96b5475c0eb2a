import { Command, CommanderError, Help, type Option } from 'commander';
import { configSource } from '../config/load.ts';
import { VERSION } from '../version.ts';
import { addBackupCommand } from './backup.ts';
import { addCheckCommand } from './check.ts';
import { addCompareCommand } from './compare.ts';
import { answered, type CommandContext, realWorld, type World } from './context.ts';
import { addDoctorCommand, withoutFile } from './doctor.ts';
import { addEvaluateCommand } from './evaluate/command.ts';
import { addExportCommand } from './export/command.ts';
import { addFeedCommand } from './feed.ts';
import { addInitCommand } from './init.ts';
import { Logging } from './logging.ts';
import { DONE, endOnClosedPipe, FAILED, type Output, report, terminal, WRONG_USAGE } from './output.ts';
import { addPromoteCommand } from './promote.ts';
import { addReplayCommand } from './replay/command.ts';
import { addReshardCommand } from './reshard/command.ts';
import { addRestoreCommand } from './restore/command.ts';
import { addRunCommand } from './run/command.ts';
import { addCandidatesCommand } from './serve/candidates.ts';
import { addServeCommand } from './serve/command.ts';
import { addShowCommand } from './show.ts';
import { hearSignals } from './signals.ts';
import { addStatsCommand } from './stats.ts';
import { addTopicsCommand } from './topics.ts';
import { addTuneCommand } from './tune/command.ts';

/** Every command, in the order of the help. */
const COMMANDS: readonly ((program: Command, context: CommandContext) => void)[] = [
  addTopicsCommand,
  addFeedCommand,
  addRunCommand,
  addServeCommand,
  addCandidatesCommand,
  addExportCommand,
  addReplayCommand,
  addCompareCommand,
  addPromoteCommand,
  addEvaluateCommand,
  addTuneCommand,
  addBackupCommand,
  addRestoreCommand,
  addCheckCommand,
  addReshardCommand,
  addStatsCommand,
  addShowCommand,
  addDoctorCommand,
  addInitCommand,
];

/** Runs the command line; resolves to the exit code. */
export async function main(
  argv: readonly string[],
  output: Output = terminal,
  world: World = realWorld,
): Promise<number> {
  if (output === terminal) endOnClosedPipe();
  using signals = hearSignals();
  const { stopping } = signals;
  const logging = new Logging();
  let code = DONE;
  let tellOfDefaults: ((text: string) => void) | undefined = output.err;
  const program = new Command('twhin')
    .description('Live graph embeddings: Kafka events in, TwHIN vectors out.')
    .version(VERSION)
    .option('--verbose', 'more log lines, and stack traces with errors')
    .exitOverride()
    .configureOutput({
      writeOut: (text) => output.out(text.trimEnd()),
      writeErr: (text) => output.err(text.trimEnd()),
    })
    .configureHelp({ optionDescription: describeOption })
    .showHelpAfterError('(twhin --help says more)')
    .hook('preAction', (_, command) => {
      logging.verbose = command.optsWithGlobals()['verbose'] === true;
      // doctor has a line of its own for the configuration, and a process that goes on says it in its log.
      if (command.name() === 'doctor') tellOfDefaults = undefined;
      if (command.name() === 'run') tellOfDefaults = (text) => logging.log.info({}, text);
    });
  const configWith = configSource(process.env, process.cwd());
  const context: CommandContext = {
    config: async (set) => {
      const loaded = await configWith(set);
      logging.level = loaded.logLevel;
      if (loaded.file === undefined) tellOfDefaults?.(withoutFile(loaded, process.cwd()));
      tellOfDefaults = undefined;
      return loaded;
    },
    log: () => logging.log,
    connect: ({ kafka }, log = logging.log) =>
      world.connect(kafka, (level, message) => log[level]({}, message)),
    ask: (question, what) => answered(question, what, stopping),
    stopping,
    progress: (line) => {
      stopping.throwIfAborted();
      output.status(line);
    },
    output,
    world,
    fail: () => (code = FAILED),
  };
  for (const add of COMMANDS) add(program, context);
  try {
    await program.parseAsync([...argv], { from: 'user' });
    return code;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? DONE : WRONG_USAGE;
    return report(error, logging.verbose, output);
  }
}

/** The help of an option. An option that may be repeated has an empty list as its default, which says nothing. */
function describeOption(option: Option): string {
  return new Help().optionDescription(option).replace(' (default: [])', '');
}
