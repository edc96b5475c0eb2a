import { type Command, InvalidArgumentError, Option } from 'commander';
import { EVENT_FORMATS } from '../../adapters/event-file/event-file.ts';
import { temporaryFolder } from '../../adapters/leftovers.ts';
import type { CommandContext } from '../context.ts';
import { collect, example, JSON_HELP, positiveInteger } from '../options.ts';
import { openEventLog } from './event-log.ts';
import { EvaluationProgress } from './progress.ts';
import { measureStream } from './stream-evaluation.ts';
import { printStreamReport } from './stream-report.ts';
import { readStreamRequest, type StreamOptions, type StreamRequest } from './stream-request.ts';
import { CANDIDATES, type TrainingOutside } from './stream-training.ts';

const USERS = 5_000;
const HOLDOUT = '15%';

/** Puts `twhin evaluate stream` on the command line. */
export function addEvaluateStreamCommand(evaluate: Command, context: CommandContext): void {
  const command = evaluate
    .command('stream')
    .description('how well the vectors foretell the next events of a stream, beside simple rules');
  withStreamOptions(command)
    .option('--seeds <n>', 'train with this many seeds, and give the mean', positiveInteger, 1)
    .option('--no-paper', "do not train the paper's preset beside it")
    .option('--no-prequential', 'measure the time-split protocol alone, and train up to its cut')
    .option(
      '--shards <n>',
      'updaters that the graph is cut into, all in this process; ranked over all of them',
      positiveInteger,
      1,
    )
    .option('--interests', 'make lists by a mixture of interests of each user too')
    .option(
      '--passes <n>',
      'train one more model with this many passes over the edges before the cut',
      positiveInteger,
    )
    .option('--json', JSON_HELP)
    .addHelpText('after', WHAT)
    .addHelpText('after', example(EXAMPLES))
    .action(async (options: StreamOptions) => {
      await evaluateStream(await readStreamRequest(options, context), context);
    });
}

/** Options that say which events are read, and what is ranked. */
export function withStreamOptions(command: Command): Command {
  return command
    .option('--graph <name>', 'the graph whose topics are read')
    .option('--from <start>', 'start: earliest, offsets, a time, or a time before now', 'earliest')
    .option('--until <end>', 'end: latest, offsets, a time, or a time before now', 'latest')
    .option('--file <path>', 'read the events of this file, plain or gzip, instead of the topics')
    .addOption(new Option('--format <format>', 'format of the file').choices(EVENT_FORMATS))
    .option('--topic <name>', "topic of the file's events; if not given, the first topic of the graph")
    .option(
      '--holdout <share>',
      'share of the events, the newest, to be foretold by full ranking',
      share,
      share(HOLDOUT),
    )
    .option('--users <n>', 'rank for at most this many users, drawn at random', positiveInteger, USERS)
    .option('--set <key=value>', 'a setting that overrides the configuration; may be repeated', collect, []);
}

const WHAT = `
Two protocols, on a temporary store that is removed at the end:
  prequential   each new edge is ranked before it is learned, once the first 20 % of the edges are learned: among
                ${CANDIDATES} entities of its type drawn uniformly, and among ${CANDIDATES} drawn in proportion to their edges
  time-split    the newest events are held back; for each user with a new target in them, all entities of the type are
                ranked, without those that the user had before
Values of --from and --until are those of twhin replay.`;

const EXAMPLES = `twhin evaluate stream --graph engagement --from 30d
twhin evaluate stream --graph engagement --file events.ndjson.gz --set dim=64 --json
twhin evaluate stream --graph follow --holdout 10% --seeds 3 --no-paper`;

/** A share such as 15% or 0.15, above 0 and below 1. */
function share(text: string): number {
  const value = text.endsWith('%') ? Number(text.slice(0, -1)) / 100 : Number(text);
  if (!(value > 0 && value < 1)) throw new InvalidArgumentError('expected a share such as 15%');
  return value;
}

async function evaluateStream(request: StreamRequest, context: CommandContext): Promise<void> {
  await onStream(request, context, async (outside) => {
    const report = await measureStream(request, outside);
    context.output.statusDone();
    if (request.options.json === true) context.output.out(JSON.stringify(report));
    else printStreamReport(report, context.output);
  });
}

/** Opens the log and a temporary folder for some work on a stream, and closes both after it, also after a signal. */
export async function onStream(
  request: StreamRequest,
  context: CommandContext,
  work: (outside: TrainingOutside) => Promise<void>,
): Promise<void> {
  const progress = new EvaluationProgress(request.graph.name, context);
  await using folder = temporaryFolder();
  await using connection = await openEventLog(request, folder.path, context);
  await using eventLog = connection.log();
  await work({ eventLog, folder: folder.path, progress, context });
}
