import type { Command } from 'commander';
import { type ReplayResult, resultOf } from '../../compose/replay-result.ts';
import { type ReplayOrder, ReplayRun } from '../../compose/replay-run.ts';
import type { CommandContext } from '../context.ts';
import { count, duration, total } from '../format.ts';
import { example, JSON_HELP } from '../options.ts';
import { type Output, tell } from '../output.ts';
import { trainingTeller, withTrainingOptions } from '../training.ts';
import { type ReplayOptions, readRequest } from './request.ts';

export function addReplayCommand(command: Command, context: CommandContext): void {
  command.description('train a graph again from the event topics, into a store beside the live store');
  withTrainingOptions(command)
    .option('--into <name>', 'name of the new store')
    .option(
      '--publish <topic>',
      'publish the vectors to this topic, and relation vectors to TOPIC.model; made if missing',
    )
    .option('--restart', 'start from scratch: remove the store of an earlier replay of that name')
    .option('--json', JSON_HELP)
    .addHelpText('after', example(EXAMPLES, WHERE))
    .action(async ({ json, ...options }: ReplayOptions & { json?: boolean }) => {
      const result = await replay(await readRequest(options, context), context);
      if (result === undefined) context.fail();
      else if (json === true) context.output.out(JSON.stringify(result));
      else print(result, context.output);
    });
}

const WHERE = `
Values of --from and --until:
  earliest, latest                    the first record of the log; the end of the log now
  TOPIC/PARTITION:OFFSET,…            offsets; other partitions start at the earliest or end at the latest record
  2026-01-31T08:00:00Z, or epoch ms   the first record with this timestamp or a later one
  30m, 2h, 7d                         this long before now
Records are read in the order of the times of their events, so the same range gives the same vectors each time.
The same command continues a replay that was interrupted or killed. With --until latest it also reads what came after a
replay that has finished. The settings are those of the live store, with --set over them.
A graph with shards is replayed whole: all shards in this process, each into a store of its own, without --publish. An
interrupted replay of shards starts from the beginning. The edges are the same each time, the vectors are not.`;

const EXAMPLES = `twhin replay --graph engagement --into shadow --set dim=64 --set learningRate=0.05
twhin replay --graph follow --from follow/0:1200,follow/1:900 --until 2026-01-31T08:00:00Z --into january --json`;

/** Runs the replay. Gives undefined if it was interrupted before the end of the range. */
async function replay(order: ReplayOrder, context: CommandContext): Promise<ReplayResult | undefined> {
  const { output, world, stopping } = context;
  const { graph, into, parts } = order;
  const log = context.log();
  await using connection = await context.connect(order.config);
  await using reader = connection.log();
  const finished = await new ReplayRun(order, {
    connection,
    reader,
    log,
    openStore: world.openStore,
    answered: (question) => context.ask(question, connection.describe),
    watch: {
      stopping,
      tell: trainingTeller({ graph: graph.name, into }, context.tell),
      tooLate: () => output.err(ALL_READ),
    },
  }).run();
  if (finished === undefined) {
    const next = parts.length > 1 ? 'starts from the beginning' : 'goes on from the last commit';
    output.err(`interrupted; the same command ${next}`);
    return undefined;
  }
  if (finished.trained === undefined)
    output.err(`${into} was finished at ${finished.record.finished}; nothing was read again`);
  return await resultOf(order, finished, (done) => context.tell(`${into}: ${count(done)} records digested`));
}

const ALL_READ =
  'all is read: ending when the rest is written and published; a second signal ends the process at once';

function print(result: ReplayResult, output: Output): void {
  const { graph, into, events, rejected, entities, edges, digest, stores, seconds, reasons = {} } = result;
  const [first] = stores;
  const where = stores.length > 1 ? `, ${stores.length} shards` : `  (${first?.folder})`;
  const pace = seconds && `${duration(seconds * 1000)}: ${count(events / seconds)}/s`;
  tell(output, `${graph} replayed into ${into}${where}`, [
    ...(pace ? [['time', pace] as const] : []),
    ['events', `${count(events)}, ${count(rejected)} of them unusable`],
    ...Object.entries(reasons).map(([reason, times]) => ['', `${count(times)} ${reason}`] as const),
    ['entities', count(total(entities))],
    ['live edges', count(total(edges))],
    ['digest', `edges ${digest.edges}, vectors ${digest.vectors}`],
  ]);
}
