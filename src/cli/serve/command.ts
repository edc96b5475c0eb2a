import { availableParallelism } from 'node:os';
import { type Command, InvalidArgumentError } from 'commander';
import type { ServedRun } from '../../compose/serve.ts';
import { type HttpAddress, readHttpAddress } from '../../config/http-address.ts';
import type { Config, GraphConfig } from '../../config/resolve.ts';
import { UsageError } from '../../errors/errors.ts';
import type { Log } from '../../log.ts';
import type { CommandContext } from '../context.ts';
import { collect, example, positiveInteger, WHOLE_GRAPHS_HELP } from '../options.ts';
import { selectWholeGraphs } from '../select.ts';
import { onSignal } from '../signals.ts';
import { ADS_OF_ONE, begin, EDGES, EDGES_OF_ONE } from './begin.ts';
import { VectorServer } from './vector-server.ts';

const ADDRESS = '127.0.0.1:8079';
const REPORT_MS = 10_000;
const MOST_THREADS = 64;
/** One core is left for the main thread, and more than eight have too little to do at a time. */
const DEFAULT_THREADS = Math.min(8, Math.max(1, availableParallelism() - 1));

/** Puts `twhin serve` on the command line. */
export function addServeCommand(program: Command, context: CommandContext): void {
  program
    .command('serve')
    .description('answer candidates, neighbours and ranks from the vectors on the topics')
    .option('--graph <name>', WHOLE_GRAPHS_HELP, collect, [])
    .option('--http <host:port>', 'address to serve on', ADDRESS)
    .option('--user-edges <n>', 'most edges remembered of one user', positiveInteger, EDGES_OF_ONE)
    .option('--edges <n>', 'most edges remembered of all users of a graph', positiveInteger, EDGES)
    .option('--threads <n>', 'threads that scan; 0: the main thread does', threadCount, DEFAULT_THREADS)
    .option('--ads-of-one <n>', 'most ads of one advertiser in a list', positiveInteger, ADS_OF_ONE)
    .addHelpText('after', ABOUT)
    .addHelpText('after', example(EXAMPLES))
    .action(async ({ graph, http, userEdges, edges, adsOfOne, threads }) => {
      const config = await context.config();
      await serve(config, context, {
        graphs: selectWholeGraphs(config, graph),
        address: addressOf(http),
        edgesOfOne: userEdges,
        edges,
        adsOfOne,
        threads,
      });
    });
}

const ABOUT = `
Reads the topics with vectors from their start and follows them, like any reader; it never touches a store. Events are read
too, so that no list has what the user follows, likes or blocks.

  GET  /v1/candidates?surface=home|who-to-follow|ads&user=ID[&k=20&relation=NAME&exclude=TYPE:ID,…&idle=30d&explain=true]
  GET  /v1/similar?entity=TYPE:ID[&k=20]
  GET  /v1/search?q=TEXT&type=tweet|user[&k=20&idle=1d]
  POST /v1/rank {"user", "relation", "candidates": ["TYPE:ID", …]}
  GET  /v1/recent?user=ID   /v1/users/random   /v1/status
  GET  /                    a page that shows it
  GET  /openapi.json   /readyz   /healthz   /metrics`;

const EXAMPLES = `twhin serve
twhin serve --graph engagement --http 127.0.0.1:9079
curl 'http://127.0.0.1:8079/v1/candidates?surface=home&user=123&k=10&explain=true'`;

interface Serving {
  readonly graphs: readonly GraphConfig[];
  readonly address: HttpAddress;
  readonly edgesOfOne: number;
  readonly edges: number;
  readonly adsOfOne: number;
  readonly threads: number;
}

function threadCount(text: string): number {
  const threads = text === '0' ? 0 : positiveInteger(text);
  if (threads > MOST_THREADS) throw new InvalidArgumentError(`expected at most ${MOST_THREADS}`);
  return threads;
}

function addressOf(text: string): HttpAddress {
  const problems: string[] = [];
  const address = readHttpAddress('--http', text, problems);
  if (problems.length > 0) throw new UsageError('http', problems.join('\n'));
  if (address === 'off')
    throw new UsageError(
      'http',
      '--http: expected host:port, seen "off"; serving is all that this command does',
    );
  return address;
}

/** Serves until stopped, or until a topic can't be followed any further. */
async function serve(
  config: Config,
  { connect, log: logOf }: Pick<CommandContext, 'connect' | 'log'>,
  { graphs, address, edgesOfOne, edges, adsOfOne, threads }: Serving,
): Promise<void> {
  const log = logOf();
  const connection = await connect(config, log);
  const outside = { connection, log, edgesOfOne, edges, adsOfOne, threads };
  const ended = Promise.withResolvers<void>();
  // Whatever ends it may come before it is waited for.
  ended.promise.catch(() => undefined);
  const signals = onSignal(() => ended.resolve());
  let server: VectorServer | undefined;
  let timer: NodeJS.Timeout | undefined;
  try {
    server = await VectorServer.begin(config, graphs, address, { ...outside, failed: ended.reject });
    const { url, runs } = server;
    log.info({ url, graphs: graphs.map(({ name }) => name) }, `serving on ${url}`);
    timer = reportReadiness(runs, log);
    for (const run of runs) await begin(run, signals.stopping, log);
    await ended.promise;
    log.info({}, 'stopping: requests in flight are answered');
  } finally {
    clearInterval(timer);
    await server?.stop();
    await connection.close();
    signals.ignore();
  }
}

/** Says how far the reading is until all is read, and then when readiness changes. */
function reportReadiness(runs: readonly ServedRun[], log: Log): NodeJS.Timeout {
  let last = '';
  let said = 0;
  return setInterval(() => {
    const reasons = runs.flatMap((run) => run.unready());
    const now = reasons.join('; ');
    const changed = (now === '') !== (last === '') || said === 0;
    if (!changed && (now === '' || Date.now() - said < REPORT_MS)) return;
    last = now;
    said = Date.now();
    if (now === '') log.info({ graphs: runs.map((run) => run.snapshot()) }, 'ready');
    else log.info({ reasons }, 'reading');
  }, 200);
}
