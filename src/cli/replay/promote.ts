import { type Command, Option } from 'commander';
import { lowerPriority, type ReplayPaceOptions } from '../../compose/pace.ts';
import type { Config, GraphConfig } from '../../config/resolve.ts';
import { FatalError, UsageError } from '../../errors/errors.ts';
import { forgetTopic } from '../../graph/graph-store.ts';
import { differences } from '../../graph/head.ts';
import { openForWriting } from '../../state/open.ts';
import { FIRST_STORE, placeOf, readLive, readOrigin, type StorePlace } from '../../state/places.ts';
import { type CommandContext, withinTime } from '../context.ts';
import { collect, example, JSON_HELP, positiveInteger, positiveNumber } from '../options.ts';
import { oneGraph, selectTopics, selectUncut } from '../select.ts';
import { catchUp } from './catch-up.ts';
import { promoteStore } from './promotion.ts';
import { readReplayRecord } from './record.ts';
import { headOf } from './store.ts';

const DEFAULT_MAX_LAG = 1_000;
const ANSWER_MS = 60_000;

interface PromoteOptions extends ReplayPaceOptions {
  readonly graph?: string;
  readonly maxLag: number;
  readonly rollback?: boolean;
  readonly reread: readonly string[];
  readonly json?: boolean;
}

/** Puts `twhin replay promote` on the command line. */
export function addReplayPromoteCommand(replay: Command, context: CommandContext): void {
  replay
    .command('promote')
    .description('make a store the live store of its graph; an updater may be running')
    .argument('[name]', 'name of the store; leave it out with --rollback')
    .option('--graph <name>', 'the graph; needed only if several graphs have a store of that name')
    .addOption(
      new Option('--max-lag <records>', 'swap when the store is at most this many records behind')
        .argParser(positiveInteger)
        .default(DEFAULT_MAX_LAG),
    )
    .option('--rollback', 'make the store that was live before the live store again')
    .option(
      '--reread <topic>',
      'read this topic from its start: it was deleted and recreated, or cut by retention; may be repeated',
      collect,
      [],
    )
    .option('--rate <events>', 'catch up with at most this many events a second', positiveNumber)
    .option('--cpu-share <share>', 'catch up with at most this share of one core', positiveNumber)
    .option('--json', JSON_HELP)
    .addHelpText('after', example(EXAMPLES))
    // commander gives options that replay has too to replay, so the action reads the options of both.
    .action((name, _, command: Command) => promote(name, command.optsWithGlobals(), context));
}

const EXAMPLES = `twhin replay promote shadow --graph engagement
twhin replay promote --rollback --graph engagement`;

/**
 * Lets the store catch up from its own offsets, and makes it the live store. The store that was live stays under its
 * name. Vectors that differ are republished with higher steps than the topic holds.
 */
async function promote(
  name: string | undefined,
  options: PromoteOptions,
  context: CommandContext,
): Promise<void> {
  const log = context.log();
  const { plain, place } = choose(name, options, await context.config());
  const set = readOrigin(place)?.set ?? [];
  const config = await context.config(set);
  const graph = config.graphs.find((each) => each.name === plain.name) ?? plain;
  await check(graph, place);
  const connection = await context.connect(config);
  const reader = connection.log();
  const started = performance.now();
  try {
    if (options.cpuShare !== undefined) lowerPriority();
    await withinTime(connection.admin().info(), ANSWER_MS, connection.describe);
    const { maxLag } = options;
    await reread(selectTopics(config, [graph], options.reread), graph, place, context);
    const caughtUp = await catchUp({
      config,
      graph,
      place,
      reader,
      log,
      context,
      maxLag,
      pace: options,
    });
    const { previous, published } = await promoteStore(plain, place, set, context, log);
    const seconds = Number(((performance.now() - started) / 1000).toFixed(1));
    const result = { graph: graph.name, store: place.name, previous, ...caughtUp, published, seconds };
    context.output.out(options.json === true ? JSON.stringify(result) : inWords(result));
  } finally {
    await reader.close();
    await connection.close();
  }
}

async function reread(
  topics: readonly string[],
  graph: GraphConfig,
  place: StorePlace,
  { world }: CommandContext,
): Promise<void> {
  if (topics.length === 0) return;
  const store = await openForWriting(graph, { place, openStore: world.openStore });
  try {
    for (const topic of topics) await forgetTopic(store, topic);
  } finally {
    await store.close();
  }
}

/** @throws UsageError listing the choices, if the name or the graph does not fit. */
function choose(
  name: string | undefined,
  { graph: wanted, rollback }: PromoteOptions,
  config: Config,
): { plain: GraphConfig; place: StorePlace } {
  const named =
    wanted === undefined
      ? selectUncut(config, undefined, promotedWhole)
      : [oneGraph(config, wanted, promotedWhole)];
  if ((name === undefined) === (rollback !== true)) {
    throw new UsageError('promote', 'expected either the name of a store or --rollback');
  }
  const found = named.flatMap((plain) => {
    const store = name ?? readLive(plain).previous ?? undefined;
    return store !== undefined && (name === undefined || exists(plain, store))
      ? [{ plain, place: placeOf(plain, store) }]
      : [];
  });
  const [one, another] = found;
  const where = named.map((each) => each.name).join(', ');
  if (one === undefined) {
    const what = rollback ? 'no store was live before the one that is' : `there is no store ${name}`;
    throw new UsageError('promote', `${what} in ${where}; twhin replay --into NAME makes one`);
  }
  if (another !== undefined) {
    throw new UsageError('graph', `several graphs have such a store: ${where}; say which with --graph`);
  }
  if (readLive(one.plain).live === one.place.name) {
    throw new UsageError('promote', `${one.place.name} is the live store of ${one.plain.name} already`);
  }
  return one;
}

function promotedWhole(): string {
  return (
    'a store that catches up alone lacks what the other shards send it. To go on with a restored store, stop the shard, move the ' +
    'folder of its store away, and restore the store without --into'
  );
}

function exists(graph: GraphConfig, name: string): boolean {
  return name === FIRST_STORE || readOrigin(placeOf(graph, name)) !== undefined;
}

async function check(graph: GraphConfig, place: StorePlace): Promise<void> {
  if (readReplayRecord(place)?.finished === null) {
    throw new UsageError(
      'promote',
      `the replay into ${place.name} is not finished: give the same twhin replay command again to go on with it, and promote it then`,
    );
  }
  const head = await headOf(graph, place);
  if (head === undefined) {
    throw new FatalError('store-missing', `there is no store ${place.name} in ${place.folder}`);
  }
  const differing = differences(head.model, graph.model);
  if (differing.length > 0) {
    throw new FatalError(
      'store-model',
      `${place.name} is of another model than is configured: ${differing.join('; ')}. It could not be run; put the ` +
        'configuration back that it was made with, or make it again',
    );
  }
}

function inWords(result: {
  graph: string;
  store: string;
  previous: string;
  read: number;
  left: number;
  published: number | undefined;
}): string {
  const { graph, store, previous, read, left, published } = result;
  const topic =
    published === undefined
      ? 'nobody runs the graph: the next twhin run publishes what differs'
      : `${published} vectors were published anew`;
  return `${store} is the live store of ${graph}: it read ${read} records more and was ${left} behind at the swap; ${topic}. ${previous} stays to go back to: twhin replay promote --rollback --graph ${graph}`;
}
