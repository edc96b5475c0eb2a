import { Command, CommanderError, Help } from 'commander';
import { pino } from 'pino';
import type { ConfigSource } from '../config/load.ts';
import type { Log, LogLevel } from '../log.ts';
import { VERSION } from '../version.ts';
import { answered, type CommandContext, realWorld, type World } from './context.ts';
import { DONE, FAILED, type Output, outliveReaders, report, terminal, WRONG_USAGE } from './output.ts';
import { hearSignals } from './signals.ts';

/** Between two lines of the log that say how far a command is. */
const LOG_MS = 10_000;

/** Says what a command takes and does. */
type Add = (command: Command, context: CommandContext) => void;

/** Every command, in the order of the help. Its sources are loaded where it is called, or where help names all. */
const COMMANDS: Readonly<Record<string, () => Promise<Add>>> = {
  topics: async () => (await import('./topics.ts')).addTopicsCommand,
  feed: async () => (await import('./feed.ts')).addFeedCommand,
  run: async () => (await import('./run/command.ts')).addRunCommand,
  serve: async () => (await import('./serve/command.ts')).addServeCommand,
  candidates: async () => (await import('./serve/candidates.ts')).addCandidatesCommand,
  export: async () => (await import('./export/command.ts')).addExportCommand,
  replay: async () => (await import('./replay/command.ts')).addReplayCommand,
  compare: async () => (await import('./compare.ts')).addCompareCommand,
  promote: async () => (await import('./promote.ts')).addPromoteCommand,
  evaluate: async () => (await import('./evaluate/command.ts')).addEvaluateCommand,
  tune: async () => (await import('./tune/command.ts')).addTuneCommand,
  backup: async () => (await import('./backup.ts')).addBackupCommand,
  restore: async () => (await import('./restore/command.ts')).addRestoreCommand,
  check: async () => (await import('./check.ts')).addCheckCommand,
  reshard: async () => (await import('./reshard/command.ts')).addReshardCommand,
  stats: async () => (await import('./stats.ts')).addStatsCommand,
  show: async () => (await import('./show.ts')).addShowCommand,
  doctor: async () => (await import('./doctor.ts')).addDoctorCommand,
  init: async () => (await import('./init.ts')).addInitCommand,
};

/** Runs the command line; resolves to the exit code. */
export async function main(
  argv: readonly string[],
  output: Output = terminal,
  world: World = realWorld,
): Promise<number> {
  if (output === terminal) outliveReaders();
  using signals = hearSignals();
  const { stopping } = signals;
  let verbose = false;
  let level: LogLevel = 'info';
  let opened: Log | undefined;
  // Opened once there is a line: the configuration says from which level on.
  const log = () => (opened ??= pino({ level: verbose ? 'debug' : level, base: null }, world.logTo()));
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
    // An option that may be repeated has an empty list as its default, which says nothing.
    .configureHelp({
      optionDescription: (option) => new Help().optionDescription(option).replace(' (default: [])', ''),
    })
    .showHelpAfterError('(twhin --help says more)')
    .hook('preAction', (_, command) => {
      verbose = command.optsWithGlobals()['verbose'] === true;
      // doctor has a line of its own for the configuration, and a process that goes on says it in its log.
      if (command.name() === 'doctor') tellOfDefaults = undefined;
      if (command.name() === 'run') tellOfDefaults = (text) => log().info({}, text);
    });
  let configWith: ConfigSource | undefined;
  let toldAt = performance.now();
  const tell = (line: string, fields: object = {}) => {
    output.status(line);
    if (performance.now() - toldAt < LOG_MS) return;
    toldAt = performance.now();
    log().info(fields, line);
  };
  const context: CommandContext = {
    config: async (set) => {
      const { configSource } = await import('../config/load.ts');
      configWith ??= configSource(process.env, process.cwd());
      const loaded = await configWith(set);
      level = loaded.logLevel;
      if (loaded.file === undefined)
        tellOfDefaults?.((await import('./select.ts')).withoutFile(loaded, process.cwd()));
      tellOfDefaults = undefined;
      return loaded;
    },
    log,
    connect: ({ kafka }, to = log()) => world.connect(kafka, (level, message) => to[level]({}, message)),
    ask: (question, what) => answered(question, what, stopping),
    stopping,
    tell,
    progress: (line) => {
      stopping.throwIfAborted();
      tell(line);
    },
    output,
    world,
    fail: () => (code = FAILED),
  };
  for (const name of called(argv)) (await COMMANDS[name]?.())?.(program.command(name), context);
  try {
    await program.parseAsync([...argv], { from: 'user' });
    return code;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? DONE : WRONG_USAGE;
    return report(error, verbose, output);
  } finally {
    output.status('');
  }
}

/** The command that the arguments name, none where they ask for the version alone, else all. */
function called(argv: readonly string[]): readonly string[] {
  const name = argv.find((word) => !word.startsWith('-'));
  if (name === undefined && argv.includes('--version')) return [];
  return name !== undefined && Object.hasOwn(COMMANDS, name) ? [name] : Object.keys(COMMANDS);
}
