import { Command, CommanderError, Option } from 'commander';
import { normalizeQuery } from '../../topics/fields.ts';
import { EVENT_FORMATS } from '../adapters/event-file/event-file.ts';
import { Configuration } from '../config/configuration.ts';
import { loadConfig } from '../config/load.ts';
import { type EntityKey, entityKey, idOf, parseEntityKey, typeOf } from '../graph/entity.ts';
import { doctor } from './doctor.ts';
import { feed } from './feed/feed.ts';
import { init } from './init.ts';
import { Logging } from './logging.ts';
import { DONE, endOnClosedPipe, FAILED, type Output, report, terminal, WRONG_USAGE } from './output.ts';
import { addReplayCommand } from './replay/command.ts';
import { addRunCommand } from './run/command.ts';
import { selectGraphs } from './select-graphs.ts';
import { show } from './show.ts';
import { stats } from './stats.ts';
import { addBackupCommand } from './stores/backup.ts';
import { addCheckCommand } from './stores/check.ts';
import { addRestoreCommand } from './stores/restore.ts';
import {
  collect,
  example,
  positiveInteger,
  positiveNumber,
  realWorld,
  type Surroundings,
  type World,
} from './surroundings.ts';
import { topics } from './topics.ts';
import { VERSION } from './version.ts';

/** Runs the command line; resolves to the exit code. */
export async function main(
  argv: readonly string[],
  output: Output = terminal,
  world: World = realWorld,
): Promise<number> {
  if (output === terminal) endOnClosedPipe();
  const logging = new Logging();
  let code = DONE;
  const program = new Command('twhin')
    .description('Live graph embeddings: Kafka events in, TwHIN vectors out.')
    .version(VERSION)
    .option('--verbose', 'more log lines, and stack traces with errors')
    .exitOverride()
    .configureOutput({
      writeOut: (text) => output.out(text.trimEnd()),
      writeErr: (text) => output.err(text.trimEnd()),
    })
    .showHelpAfterError('(twhin --help says more)')
    .hook('preAction', (_, command) => {
      logging.verbose = command.optsWithGlobals()['verbose'] === true;
    });
  const config = async (set: readonly string[] = []) => {
    const loaded = await loadConfig(process.env, process.cwd(), set);
    logging.level = loaded.logLevel;
    return loaded;
  };
  const configuration = async () => {
    const loaded = await Configuration.load(process.env, process.cwd());
    logging.level = loaded.config.logLevel;
    return loaded;
  };
  const log = () => logging.create();
  addCommands(program, { config, configuration, log, logging, output, world, fail: () => (code = FAILED) });
  try {
    await program.parseAsync([...argv], { from: 'user' });
    return code;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? DONE : WRONG_USAGE;
    return report(error, logging.verbose, output);
  }
}

function addCommands(program: Command, surroundings: Surroundings): void {
  const { config, log, output, fail } = surroundings;
  const topicCommand = program.command('topics').description('the topics the configuration needs');
  for (const apply of [false, true]) {
    topicCommand
      .command(apply ? 'apply' : 'plan')
      .description(
        apply ? 'make the topics as declared; never shrinks or deletes' : 'say what apply would change',
      )
      .option('--json', 'one JSON object on stdout')
      .addHelpText('after', example(`KAFKA_BROKERS=localhost:9092 twhin topics ${apply ? 'apply' : 'plan'}`))
      .action(async ({ json }) => topics(await config(), { apply, json: json === true }, log(), output));
  }

  program
    .command('feed')
    .description('send the events of a file to a topic, each checked first')
    .argument('<file>', 'path, gzip or not, or - for stdin')
    .requiredOption('--topic <name>', 'event topic, such as engagement')
    .addOption(
      new Option(
        '--format <format>',
        'by the name of the file unless said: .csv is csv, all else ndjson',
      ).choices(EVENT_FORMATS),
    )
    .option('--rate <events>', 'at most this many a second', positiveNumber)
    .option('--limit <n>', 'stop after this many', positiveInteger)
    .option('--raw', 'send bad lines too, as they are')
    .option('--json', 'one JSON object on stdout')
    .addHelpText(
      'after',
      example(
        'twhin feed events.ndjson.gz --topic engagement\nzcat follows.csv.gz | twhin feed - --topic follow --format csv --rate 5000',
      ),
    )
    .action(async (file, { topic, format, rate, limit, raw, json }) => {
      const options = { file, topic, format, ratePerS: rate, limit, raw: raw === true, json: json === true };
      if (!(await feed(await config(), options, log(), output))) fail();
    });

  addRunCommand(program, surroundings);
  addReplayCommand(program, surroundings);
  addBackupCommand(program, surroundings);
  addRestoreCommand(program, surroundings);
  addCheckCommand(program, surroundings);

  program
    .command('stats')
    .description('what the stores hold, as of their last commits')
    .option('--graph <name>', 'only this graph; may be repeated', collect, [])
    .option('--json', 'one JSON object on stdout')
    .option('--digest', 'digests of edges and vectors, by reading all of them')
    .addHelpText('after', example('twhin stats --graph engagement --json --digest'))
    .action(async ({ graph, json, digest }) =>
      stats(selectGraphs(await config(), graph), { json: json === true, digest: digest === true }, output),
    );

  program
    .command('show')
    .description('an entity: its edges, its vector and what is nearest')
    .argument('<entity>', 'TYPE:ID, such as user:123', readEntity)
    .option('--graph <name>', 'only this graph; may be repeated', collect, [])
    .option('--json', 'one JSON object a graph on stdout')
    .addHelpText('after', example('twhin show user:123 --graph engagement'))
    .action(async (entity, { graph, json }) =>
      show(selectGraphs(await config(), graph), entity, { json: json === true }, output),
    );

  program
    .command('doctor')
    .description('check Node, SIMD, RocksDB, brokers, topics and stores')
    .option('--json', 'one JSON object on stdout')
    .addHelpText('after', example('KAFKA_BROKERS=localhost:9092 twhin doctor'))
    .action(async ({ json }) => {
      if (!(await doctor(config, { json: json === true, cwd: process.cwd() }, log(), output))) fail();
    });

  program
    .command('init')
    .description('write a commented twhin.config.ts')
    .addHelpText('after', example('twhin init && $EDITOR twhin.config.ts'))
    .action(() => init(process.cwd(), output));
}

/** What a person typed; a query as events have it, so that it can be typed as it was searched. */
function readEntity(text: string): EntityKey {
  const key = parseEntityKey(text);
  return typeOf(key) === 'query' ? entityKey('query', normalizeQuery(idOf(key))) : key;
}
