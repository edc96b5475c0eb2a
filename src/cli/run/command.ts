import type { Command } from 'commander';
import { eventDeclaration } from '../../../topics/index.ts';
import { type Failure, retrying } from '../../adapters/backoff.ts';
import type { LogConnection } from '../../adapters/connect.ts';
import { composeRouters } from '../../compose/router.ts';
import { declaredTopics } from '../../config/declared-topics.ts';
import { HTTP_DEFAULT } from '../../config/environment.ts';
import type { Config, GraphConfig } from '../../config/resolve.ts';
import { LogRefusal, RetryableError, reasonOf, UsageError } from '../../errors/errors.ts';
import type { Log } from '../../log.ts';
import { createdTopics, replayGaps } from '../../pipeline/topic-plan.ts';
import { rememberingFaults, Watch } from '../../watch/watch.ts';
import type { CommandContext } from '../context.ts';
import { collect, example, GRAPHS_HELP, httpOption } from '../options.ts';
import { selectGraphs, selectTopics } from '../select.ts';
import { stopWithin } from '../signals.ts';
import { GraphRun } from './graph-run.ts';
import { progressFields, reportProgress } from './progress.ts';

export function addRunCommand(command: Command, context: CommandContext): void {
  command
    .description('consume events, train and publish vectors until stopped')
    .option('--graph <name>', GRAPHS_HELP, collect, [])
    .option('--until-caught-up', 'end when the events that were there at the start are learned and published')
    .option('--create-topics', 'create missing topics first')
    .option('--standby', 'follow with a store of its own, and lead when no other process runs the graph')
    .option(
      '--reread <topic>',
      'read this topic from its start: it was deleted and recreated, or cut by retention; may be repeated',
      collect,
      [],
    )
    .option(
      '--go-on <topic>',
      'go on with the records that this topic still has: its log lost its end, or was cut by retention; may be repeated',
      collect,
      [],
    )
    .option(
      '--http <host:port>',
      'serve health and metrics on this address, or off (default: 127.0.0.1:8077; off with --until-caught-up)',
    )
    .addHelpText('after', example(EXAMPLES))
    .action((options: RunOptions) => run(options, context));
}

const EXAMPLES = `twhin run --create-topics
twhin run --graph engagement --until-caught-up
twhin run --graph engagement-3
TWHIN_STATE=/var/lib/twhin-2 twhin run --standby --http 127.0.0.1:8078`;

/** The options as typed on the command line. */
interface RunOptions {
  readonly graph: readonly string[];
  readonly untilCaughtUp?: boolean;
  readonly createTopics?: boolean;
  readonly standby?: boolean;
  readonly reread: readonly string[];
  readonly goOn: readonly string[];
  readonly http?: string;
}

/**
 * Runs the graphs in this process until stopped, or until all are up to date.
 * @throws the error that stopped the first graph; the other graphs are stopped gracefully before.
 */
async function run(options: RunOptions, context: CommandContext): Promise<void> {
  const { output, stopping, world } = context;
  const config = await context.config();
  const { standby = false, untilCaughtUp = false } = options;
  const graphs = selectGraphs(config, options.graph);
  const reread = selectTopics(config, graphs, options.reread);
  const goOn = selectTopics(config, graphs, options.goOn, '--go-on');
  const asked = options.http === undefined ? config.http : httpOption(options.http);
  // A run that ends by itself serves nothing unless told to.
  const address = asked ?? (untilCaughtUp ? 'off' : HTTP_DEFAULT);
  if (standby && untilCaughtUp)
    throw new UsageError('a standby follows without an end: leave out --standby or --until-caught-up');
  const { log, faults } = rememberingFaults(context.log());
  const runs: GraphRun[] = [];
  const stop = () => {
    for (const each of runs) each.stop();
  };
  // Closed in reverse, each whatever became of the others: a thread or a connection that is left keeps the process alive.
  await using opened = new AsyncDisposableStack();
  const connection = opened.use(await context.connect(config, log));
  // Declared after what is open, and so over before that is closed.
  using _ = stopWithin(stopping, { stopMs: config.tuning.stopMs, stop }, log);
  // The server starts first: a bad address is reported before anything is opened, and probes are answered meanwhile.
  const names = graphs.map(({ name }) => name);
  const served = address === 'off' ? undefined : address;
  const watch = opened.use(await Watch.begin({ address: served, names, faults, log }));
  if (options.createTopics) await createTopics(config, connection, stopping, log);
  // Nothing waits for it: the brokers may be out of reach.
  void tellReplayGaps(config, graphs, connection, log);
  const { measuresOf } = watch.metrics;
  const outside = { connection, log, openStore: world.openStore, standby, reread, goOn, measuresOf };
  for (const graph of graphs) {
    const run = await GraphRun.open({ graph, config, configWith: context.config, outside, untilCaughtUp });
    runs.push(opened.adopt(run, (each) => each.close()));
  }
  const routers = await composeRouters(config, graphs, { connection, log, reread, goOn });
  for (const router of routers) opened.adopt(router, (each) => each.stop());
  // The signal may have come before there was a run to stop.
  if (stopping.aborted) stop();
  watch.over(runs, routers);
  const reporting = reportProgress(runs, log, output);
  const failing = (error: unknown) => {
    stop();
    throw error;
  };
  const ofRouter =
    ({ graph }: { readonly graph: string }) =>
    (error: unknown) => {
      // A router keeps nothing: the shards of its graph note that it refused.
      const shards = runs.filter((each) => each.graph.shard?.graph === graph);
      if (error instanceof LogRefusal) for (const { updater } of shards) updater.refuse(error);
      failing(error);
    };
  const routing = Promise.allSettled(routers.map((router) => router.run().catch(ofRouter(router))));
  const ends = await Promise.allSettled(runs.map((each) => each.run().catch(failing)));
  reporting.stop();
  for (const router of routers) await router.stop();
  const failed = [...ends, ...(await routing)].find((result) => result.status === 'rejected');
  if (failed) throw failed.reason;
  for (const { updater } of runs) log.info(progressFields(updater.progress()), 'stopped');
}

/** Creates the topics that are missing, and waits as long as no broker answers; returns early when stopped. */
async function createTopics(
  config: Config,
  connection: LogConnection,
  stopping: AbortSignal,
  log: Log,
): Promise<void> {
  const admin = connection.admin();
  const create = async () => {
    if (!stopping.aborted) await admin.create(createdTopics(declaredTopics(config)));
  };
  const onTrouble = ({ error, attempt, since: sinceMs }: Failure) => {
    const since = new Date(sinceMs).toISOString();
    log.warn(
      { brokers: config.kafka.brokers.join(','), since, attempt, reason: reasonOf(error) },
      `topics cannot be created at ${connection.describe} since ${since}; trying again`,
    );
  };
  await retrying(create, { signal: stopping, onTrouble }).catch((error) => {
    if (!stopping.aborted || !(error instanceof RetryableError)) throw error;
  });
}

/** Logs what a replay would lack. A start never fails for it: the right to look at settings may be missing. */
async function tellReplayGaps(
  config: Config,
  graphs: readonly GraphConfig[],
  connection: LogConnection,
  log: Log,
): Promise<void> {
  if (connection.keepsAll) return;
  const topics = [...new Set(graphs.flatMap((graph) => graph.topics))];
  const declared = topics.map((topic) => eventDeclaration(topic, config.topicPrefix, config.eventRetention));
  try {
    const actual = await connection.admin().describe(declared.map(({ name }) => name));
    for (const gap of replayGaps(declared, actual)) log.info({}, gap);
  } catch (error) {
    log.debug({ reason: reasonOf(error) }, 'how long the event topics keep their events is not known');
  }
}
