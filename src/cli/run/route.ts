import type { Command } from 'commander';
import type { Config, GraphConfig } from '../../config/resolve.ts';
import { UsageError } from '../../errors/errors.ts';
import { graphOf } from '../../graph/shard.ts';
import type { CommandContext } from '../context.ts';
import { collect, example, WHOLE_GRAPHS_HELP } from '../options.ts';
import { selectGraphs, selectTopics } from '../select.ts';
import { stopOnSignal } from '../signals.ts';
import { reportRouting } from './progress.ts';
import { Stages } from './stages.ts';

const EXAMPLES = `twhin route --graph engagement`;

/** Puts `twhin route` on the command line. */
export function addRouteCommand(program: Command, context: CommandContext): void {
  program
    .command('route')
    .description('send the events of a graph with shards to the shards that they concern, until stopped')
    .option('--graph <name>', WHOLE_GRAPHS_HELP, collect, [])
    .option(
      '--reread <topic>',
      'read this topic from its start: it was deleted and recreated, or cut by retention; may be repeated',
      collect,
      [],
    )
    .addHelpText('after', EVERY_UPDATER)
    .addHelpText('after', example(EXAMPLES))
    .action(async ({ graph, reread }) => {
      const config = await context.config();
      const graphs = routedGraphs(config, graph);
      const log = context.log();
      const connection = await context.connect(config, log);
      const stopping = Promise.withResolvers<void>();
      const signals = stopOnSignal({ stopMs: () => config.stopMs, stop: () => stopping.resolve() }, log);
      try {
        const rereads = selectTopics(config, graphs, reread);
        const stages = await Stages.open(config, graphs, { connection, log, reread: rereads, named: false });
        const reporting = reportRouting(stages.all, log, context.output);
        stages.begin(() => stopping.resolve());
        await stopping.promise;
        await stages.stop().finally(() => reporting.stop());
      } finally {
        signals.ignore();
        await connection.close();
      }
    });
}

const EVERY_UPDATER = `
Every twhin run of a graph with routed: true routes events, too, unless it has --no-router. All of them divide the partitions
of the event topics among themselves.`;

/** @throws UsageError `graph` where a named graph is not routed, or none is. */
function routedGraphs(config: Config, names: readonly string[]): readonly GraphConfig[] {
  const routed = selectGraphs(config, names).filter((graph) => graph.routed);
  const missing = names.filter((name) => !routed.some((graph) => graphOf(graph) === name));
  if (routed.length > 0 && missing.length === 0) return routed;
  throw new UsageError(
    'graph',
    `--graph: expected graphs with routed: true in the configuration; ${names.length === 0 ? 'there is none' : `seen ${missing.join(', ')}`}`,
  );
}
