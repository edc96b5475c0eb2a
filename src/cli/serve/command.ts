import { availableParallelism } from 'node:os';
import { aborted } from 'node:util';
import type { Command } from 'commander';
import { type ServingOptions as HttpOptions, serveVectors } from '../../adapters/http/serving.ts';
import { REQUESTS } from '../../adapters/http/serving-schema.ts';
import { EDGES, MOST_THREADS, Serving, type ServingOptions } from '../../compose/serving.ts';
import type { HttpAddress } from '../../config/environment.ts';
import type { Config, GraphConfig } from '../../config/resolve.ts';
import { UsageError } from '../../errors/errors.ts';
import type { Log } from '../../log.ts';
import { ServingMetrics } from '../../metrics/serving.ts';
import { readServingPage } from '../../pages/page-files.ts';
import { VERSION } from '../../version.ts';
import type { CommandContext } from '../context.ts';
import { count, duration, total } from '../format.ts';
import { collect, example, httpOption, positiveInteger, WHOLE_GRAPHS_HELP, wholeNumber } from '../options.ts';
import { selectWholeGraphs } from '../select.ts';
import { boundsToSay, edgesWithin, memoryHere } from './bounds.ts';

const ADDRESS = '127.0.0.1:8079';
const LOOK_MS = 200;
/** One core is left for the main thread, and more than eight have too little to do at a time. */
const DEFAULT_THREADS = Math.min(8, Math.max(1, availableParallelism() - 1));

export function addServeCommand(command: Command, context: CommandContext): void {
  command
    .description('answer candidates, neighbours and ranks from the vectors on the topics')
    .option('--graph <name>', WHOLE_GRAPHS_HELP, collect, [])
    .option('--http <host:port>', 'address to serve on', ADDRESS)
    .option('--edges <n>', EDGES_HELP, positiveInteger)
    .option('--requests <n>', REQUESTS_HELP, wholeNumber(0), REQUESTS)
    .option(
      '--threads <n>',
      'threads that scan; 0: the main thread does',
      wholeNumber(0, MOST_THREADS),
      DEFAULT_THREADS,
    )
    .addHelpText('after', ABOUT)
    .addHelpText('after', example(EXAMPLES))
    .action((asked) => serve(context, asked));
}

const EDGES_HELP = `most edges remembered of all entities of a graph (default: ${EDGES}, or as many as take half of the memory)`;

const ABOUT = `
Reads the topics with vectors from their start and follows them, like any reader; it never touches a store. Events are read
too, so that a list leaves out what its entity has already, such as what a user likes or follows, and what is blocked.

  GET  /v1/candidates?from=TYPE:ID&to=TYPE[&k=20&relation=NAME&exclude=TYPE:ID,…&idle=30d&explain=true]
  GET  /v1/candidates?from=TYPE:ID&surface=NAME
  GET  /v1/similar?entity=TYPE:ID[&k=20&exclude=TYPE:ID,…]
  GET  /v1/search?q=TEXT&type=TYPE[&k=20&idle=1d]
  POST /v1/rank {"from": "TYPE:ID", "relation", "candidates": ["TYPE:ID", …]}
  GET  /v1/recent?entity=TYPE:ID   /v1/random?type=TYPE   /v1/status
  GET  /                    a page that shows it
  GET  /openapi.json   /readyz   /healthz   /metrics

user=ID stands for from=user:ID and entity=user:ID. Surfaces are lists with a name, of the configuration; home, who-to-follow and
ads come with the graphs engagement and follow.`;

const EXAMPLES = `twhin serve
twhin serve --graph engagement --http 127.0.0.1:9079
curl 'http://127.0.0.1:8079/v1/candidates?from=customer:1&to=product&k=10&explain=true'
curl 'http://127.0.0.1:8079/v1/candidates?surface=home&user=123'`;

interface ServeAsked {
  readonly graph: readonly string[];
  readonly http: string;
  readonly edges?: number | undefined;
  readonly requests: number;
  readonly threads: number;
}

const REQUESTS_HELP =
  'most requests of one client address in a minute; 0: no limit, for a server behind a proxy, where all clients have one address';

/** Serves until stopped, or until a topic can't be followed any further. */
async function serve(
  context: CommandContext,
  { graph: names, http, edges: asked, requests, threads }: ServeAsked,
): Promise<void> {
  const config = await context.config();
  const graphs = selectWholeGraphs(config, names);
  const address = httpOption(http);
  if (address === 'off')
    throw new UsageError('--http: expected host:port, seen "off"; serving is all that this command does');
  const memory = memoryHere();
  const edges = edgesWithin(asked, graphs.length, memory);
  const log = context.log();
  for (const sentence of boundsToSay(graphs, edges, Math.max(1, threads), memory)) log.info({}, sentence);
  await using connection = await context.connect(config, log);
  const options = { connection, log, edges, requests, threads };
  await using server = await beginVectorServer(config, graphs, address, options);
  const { url, serving } = server;
  log.info({ url, graphs: graphs.map(({ name }) => name) }, `listening on ${url}, not ready yet`);
  using _timer = reportReadiness(serving, log, context);
  await Promise.race([aborted(context.stopping, server), serving.ended]);
  log.info({}, 'stopping: requests in flight are answered');
}

/** Says how far the reading is while not all is read, and as soon as `/readyz` is 200, how much and how long it was. */
function reportReadiness(serving: Serving, log: Log, { tell, output }: CommandContext): NodeJS.Timeout {
  let since: number | undefined = performance.now();
  return setInterval(() => {
    const reasons = serving.unready();
    if (reasons.length > 0) tell(reasons.join('; '), { reasons });
    else output.status('');
    if (!serving.isReady) since ??= performance.now();
    else if (since !== undefined) {
      const graphs = serving.runs.map((run) => run.snapshot());
      const vectors = count(graphs.reduce((sum, graph) => sum + total(graph.vectors), 0));
      log.info({ graphs }, `ready after ${duration(performance.now() - since)}: ${vectors} vectors`);
      since = undefined;
    }
  }, LOOK_MS);
}

/** `Serving` over HTTP. actions: none in `twhin serve`, which is read-only. */
export type VectorServerOptions = Omit<ServingOptions, 'visible'> & Pick<HttpOptions, 'actions' | 'requests'>;

/**
 * Listens, and begins to read: probes are answered while the topics are read. Disposal answers the requests in flight, then ends the
 * reading; it is idempotent. @throws FatalError `http-listen`.
 */
export async function beginVectorServer(
  config: Config,
  graphs: readonly GraphConfig[],
  address: HttpAddress,
  { actions, requests, ...options }: VectorServerOptions,
) {
  const metrics = new ServingMetrics(VERSION, () => serving.runs.map((run) => run.snapshot()));
  const visible = (graph: string, ms: number) => metrics.visible(graph, ms);
  await using stack = new AsyncDisposableStack();
  const serving = stack.use(new Serving(config, graphs, { ...options, visible }));
  const server = await serveVectors({
    ...address,
    surfaces: serving.surfaces,
    entities: serving.entities,
    page: await readServingPage(),
    isReady: () => serving.isReady,
    status: () => serving.runs.map((run) => run.status()),
    metrics,
    answered: (path, code, ms) => metrics.answered(path, code, ms),
    version: VERSION,
    failed: (path, reason) => options.log.error({ path, reason }, 'a request could not be answered'),
    ...(actions && { actions }),
    ...(requests !== undefined && { requests }),
  });
  stack.defer(() => server.stop());
  void serving.begin();
  const open = stack.move();
  return { serving, url: server.url, [Symbol.asyncDispose]: () => open.disposeAsync() };
}
