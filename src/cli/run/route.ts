import type { Command } from 'commander';
import { type HttpAddress, ROUTING_HTTP_DEFAULT } from '../../config/http-address.ts';
import type { Config, GraphConfig } from '../../config/resolve.ts';
import { UsageError } from '../../errors/errors.ts';
import { graphOf } from '../../graph/shard.ts';
import type { CommandContext } from '../context.ts';
import { collect, example, httpAddress, WHOLE_GRAPHS_HELP } from '../options.ts';
import { selectGraphs, selectTopics } from '../select.ts';
import { stopWithin } from '../signals.ts';
import { reportRouting } from './progress.ts';
import { Stages } from './stages.ts';
import { createTopics } from './topics-at-start.ts';
import { RoutingWatch } from './watch/routing.ts';

const EXAMPLES = `twhin route --graph engagement
twhin route --create-topics
TWHIN_HTTP=0.0.0.0:8077 twhin route --graph engagement
curl -s http://127.0.0.1:8076/readyz`;

/** Puts `twhin route` on the command line. */
export function addRouteCommand(program: Command, context: CommandContext): void {
  program
    .command('route')
    .description('send the events of a graph with shards to the shards that they concern, until stopped')
    .option('--graph <name>', WHOLE_GRAPHS_HELP, collect, [])
    .option('--create-topics', 'create missing topics first')
    .option(
      '--reread <topic>',
      'read this topic from its start: it was deleted and recreated, or cut by retention; may be repeated',
      collect,
      [],
    )
    .option(
      '--http <host:port>',
      'serve health and metrics on this address, or off (default: 127.0.0.1:8076)',
    )
    .addHelpText('after', EVERY_UPDATER)
    .addHelpText('after', example(EXAMPLES))
    .action(async ({ graph, createTopics: creates, reread, http }) => {
      const config = await context.config();
      const graphs = routedGraphs(config, graph);
      await route(config, context, {
        graphs,
        createTopics: creates === true,
        reread: selectTopics(config, graphs, reread),
        http: httpAddress(http, { http: config.routerHttp }, ROUTING_HTTP_DEFAULT),
      });
    });
}

const EVERY_UPDATER = `
Every twhin run of a graph with routed: true routes events, too, unless it has --no-router. All of them divide the partitions
of the event topics among themselves, so more routers than partitions are of no use. A router has no state: it can be started,
stopped and killed at any time.

  GET  /readyz   whether it has joined the others and delivers; why not, in words
  GET  /healthz   /metrics   /api/status`;

interface RouteOptions {
  readonly graphs: readonly GraphConfig[];
  readonly createTopics: boolean;
  /** Full names of topics that are read from their start. */
  readonly reread: readonly string[];
  /** Address for health and metrics; undefined: nothing is served. */
  readonly http: HttpAddress | undefined;
}

/** Routes until stopped. @throws what ended the first stage that failed. */
async function route(config: Config, context: CommandContext, options: RouteOptions): Promise<void> {
  const { graphs, reread, http } = options;
  const log = context.log();
  const connection = await context.connect(config, log);
  const stopping = Promise.withResolvers<void>();
  const stop = () => stopping.resolve();
  const deadline = stopWithin(context.stopping, { stopMs: config.stopMs, stop }, log);
  let watch: RoutingWatch | undefined;
  try {
    // The server starts first: a bad address is reported before anything is opened, and probes are answered meanwhile.
    const names = [...new Set(graphs.map(graphOf))];
    watch = await RoutingWatch.begin({ address: http, names, log });
    if (options.createTopics) await createTopics(config, connection, context.stopping, log);
    if (context.stopping.aborted) return;
    const stages = await Stages.open(config, graphs, { connection, log, reread, named: false });
    watch.over(stages.all);
    const reporting = reportRouting(stages.all, log, context.output);
    stages.begin(() => stopping.resolve());
    await stopping.promise;
    await stages.stop().finally(() => reporting.stop());
  } finally {
    deadline[Symbol.dispose]();
    await watch?.stop();
    await connection.close();
  }
}

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
