import { join } from 'node:path';
import { setImmediate as breathe } from 'node:timers/promises';
import { type Command, InvalidArgumentError } from 'commander';
import type { LogConnection } from '../../adapters/connect.ts';
import { temporaryFolder } from '../../adapters/leftovers.ts';
import { CANDIDATES, type EvaluationOutside, type EvaluationProgress } from '../../compose/evaluation.ts';
import { trainToEnd } from '../../compose/replay.ts';
import { UsageError } from '../../errors/errors.ts';
import type { CommandContext } from '../context.ts';
import { feedFile } from '../feed.ts';
import { count, duration } from '../format.ts';
import { example, JSON_HELP, positiveInteger } from '../options.ts';
import type { Output } from '../output.ts';
import { trainingTeller, withTrainingOptions } from '../training.ts';
import { evaluate } from './measure.ts';
import { printStreamReport } from './report.ts';
import { readStreamRequest, type StreamOptions, type StreamRequest } from './request.ts';

const USERS = 5_000;
const HOLDOUT = '15%';

export function addEvaluateCommand(command: Command, context: CommandContext): void {
  command.description('how well the vectors predict the next events of a stream, beside simple rules');
  withStreamOptions(command)
    .option('--json', JSON_HELP)
    .addHelpText('after', example(EXAMPLES, WHAT))
    .action((options: StreamOptions) => reportOnStream(options, context, evaluate, printStreamReport));
}

/** Options that say which events are read, and what is ranked. */
export function withStreamOptions(command: Command): Command {
  return withTrainingOptions(command)
    .option('--file <path>', 'read the events of this file, plain or gzip, instead of the topics')
    .option('--topic <name>', "topic of the file's events; if not given, the first topic of the graph")
    .option(
      '--holdout <share>',
      'share of the events, the newest, that is held back and predicted by full ranking',
      share,
      share(HOLDOUT),
    )
    .option('--users <n>', 'rank for at most this many users, drawn at random', positiveInteger, USERS);
}

const WHAT = `
Trains in a temporary store, which is removed at the end; nothing live is touched. A graph that is cut into shards is measured
whole. Two protocols:
  prequential   each new edge is ranked before it is learned, once the first 20 % of the edges are learned: among
                ${CANDIDATES} entities of its type drawn uniformly, and among ${CANDIDATES} drawn in proportion to their edges
  time-split    the newest events are held back; for each user with a new target in them, all entities of the type are
                ranked, without those that the user had before
Values of --from and --until are those of twhin replay.`;

const EXAMPLES = `twhin evaluate --graph engagement --from 30d
twhin evaluate --graph engagement --file events.ndjson.gz --set dim=64 --json`;

/** A share such as 15% or 0.15, above 0 and below 1. */
function share(text: string): number {
  const value = text.endsWith('%') ? Number(text.slice(0, -1)) / 100 : Number(text);
  if (!(value > 0 && value < 1)) throw new InvalidArgumentError('expected a share such as 15%');
  return value;
}

/** Measures what was asked for on a log and in a temporary folder, closes both, also after a signal, and prints the report. */
export async function reportOnStream<Report extends object>(
  options: StreamOptions,
  context: CommandContext,
  measure: (request: StreamRequest, outside: EvaluationOutside) => Promise<Report>,
  print: (report: Report, output: Output) => void,
): Promise<void> {
  const request = await readStreamRequest(options, context);
  const progress = progressOf(request.graph.name, context);
  await using folder = temporaryFolder();
  await using connection = await openEventLog(request, folder.path, context);
  await using eventLog = connection.log();
  context.stopping.throwIfAborted();
  const outside = { log: context.log(), eventLog, folder: folder.path, progress };
  const report = await measure(request, outside);
  if (options.json === true) context.output.out(JSON.stringify(report));
  else print(report, context.output);
}

/** The configured log or, with a file, an embedded one in `folder` whose one partition has its lines. @throws UsageError for no line. */
async function openEventLog(
  { topics, fileTopic, options: { file }, current: { config } }: StreamRequest,
  folder: string,
  { connect, output, stopping, tell }: Pick<CommandContext, 'connect' | 'output' | 'stopping' | 'tell'>,
): Promise<LogConnection> {
  if (file === undefined || fileTopic === undefined) return connect(config);
  const kafka = { ...config.kafka, brokers: [`file:${join(folder, 'log')}`] };
  await using opened = new AsyncDisposableStack();
  const connection = opened.use(await connect({ kafka }));
  await connection.admin().create(topics.map((name) => ({ name, partitions: 1, configs: {} })));
  const filling = async () => {
    await using sink = connection.sink();
    return await feedFile(file, fileTopic, config, {
      sink,
      // A line that is no event is reported as a record that can't be used, as where topics are read.
      raw: true,
      onProgress: ({ sent }) => tell(`${file}: ${count(sent)} events read`),
      onBad: ({ line, problem }) => {
        if (problem.code === 'too-large') output.err(`${file}:${line}: ${problem.message}`);
      },
      signal: stopping,
    });
  };
  // The connection is kept only once the sink is closed.
  const { sent } = await filling();
  if (sent === 0 && !stopping.aborted) throw new UsageError(`${file} holds no event; nothing was trained`);
  opened.move();
  return connection;
}

/** Says how far an evaluation is, and ends it after a signal: each part then throws RetryableError `interrupted`. */
function progressOf(
  graph: string,
  { progress, tell, stopping }: Pick<CommandContext, 'progress' | 'tell' | 'stopping'>,
): EvaluationProgress {
  const turn = async (status: string) => {
    progress(`${graph}: ${status}`);
    await breathe();
    stopping.throwIfAborted();
  };
  return {
    turn,
    meter: (what) => {
      const started = performance.now();
      return (done, of) => {
        const leftMs = ((performance.now() - started) / done) * (of - done);
        return turn(`${what}: ${count(done)} of ${count(of)}, ${duration(leftMs)} to go`);
      };
    },
    // The store then stands at its last commit.
    train: async (replaying, range, fields) => {
      await trainToEnd([replaying], range, { stopping, tell: trainingTeller(fields, tell) });
      stopping.throwIfAborted();
    },
  };
}
