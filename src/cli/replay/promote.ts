import type { Command } from 'commander';
import { lowerPriority } from '../../compose/pace.ts';
import type { Config, GraphConfig } from '../../config/resolve.ts';
import { FatalError, UsageError } from '../../errors/errors.ts';
import { graphOf } from '../../graph/shard.ts';
import { placeOf, readLive, readOrigin } from '../../state/places.ts';
import { hasLiveStore } from '../../state/promotion.ts';
import type { CommandContext } from '../context.ts';
import { collect, example, JSON_HELP, positiveInteger, positiveNumber } from '../options.ts';
import { selectParts, selectTopics } from '../select.ts';
import { catchUp } from './catch-up.ts';
import { check, exists, type PromoteOptions, reread } from './promotable.ts';
import { promoteShards } from './promoted-shards.ts';
import { promoteStore } from './promotion.ts';

const DEFAULT_MAX_LAG = 1_000;

/** Puts `twhin replay promote` on the command line. */
export function addReplayPromoteCommand(replay: Command, context: CommandContext): void {
  replay
    .command('promote')
    .description('make a store the live store of its graph; an updater may be running')
    .argument('[name]', 'name of the store; leave it out with --rollback')
    .option('--graph <name>', 'the graph; needed only if several graphs have a store of that name')
    .option(
      '--max-lag <records>',
      `swap when the store is at most this many records behind (default: ${DEFAULT_MAX_LAG})`,
      positiveInteger,
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
    .addHelpText('after', SHARDS)
    .addHelpText('after', example(EXAMPLES))
    // commander gives options that replay has too to replay, so the action reads the options of both.
    .action((name, _, command: Command) => promote(name, command.optsWithGlobals(), context));
}

const SHARDS = `
The store of a graph with shards is promoted in all shards whose live stores are in the state folder, or in none. Each goes on
where its store stands, so --max-lag, --rate and --cpu-share are for whole graphs. Where shards run on other machines, the
command says what to do there.`;

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
  const { parts, store } = choose(name, options, await context.config());
  if (parts.length > 1) {
    await promoteShards(parts, store, options, context);
    return;
  }
  const log = context.log();
  const [plain] = parts;
  if (plain === undefined) return;
  const place = placeOf(plain, store);
  const set = readOrigin(place)?.set ?? [];
  const config = await context.config(set);
  const graph = config.graphs.find((each) => each.name === plain.name) ?? plain;
  await check(graph, place);
  await using connection = await context.connect(config);
  await using reader = connection.log();
  const started = performance.now();
  if (options.cpuShare !== undefined) lowerPriority();
  await context.ask(connection.admin().info(), connection.describe);
  const { maxLag = DEFAULT_MAX_LAG } = options;
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
}

/** @throws UsageError listing the choices, if the name or the graph does not fit. */
function choose(
  name: string | undefined,
  { graph: wanted, rollback }: PromoteOptions,
  config: Config,
): { parts: readonly GraphConfig[]; store: string } {
  const named =
    wanted === undefined ? [...Map.groupBy(config.graphs, graphOf).values()] : [selectParts(config, wanted)];
  if ((name === undefined) === (rollback !== true)) {
    throw new UsageError('expected either the name of a store or --rollback');
  }
  const found = named.flatMap((parts) => {
    const store = name ?? previousOf(parts);
    const there = store !== undefined && (name === undefined || parts.some((part) => exists(part, store)));
    return there ? [{ parts, store }] : [];
  });
  const [one, another] = found;
  const where = named.map(([first]) => first && graphOf(first)).join(', ');
  if (one === undefined) {
    const what = rollback ? 'no store was live before the one that is' : `there is no store ${name}`;
    throw new UsageError(`${what} in ${where}; twhin replay --into NAME makes one`);
  }
  if (another !== undefined) {
    throw new UsageError(`several graphs have such a store: ${where}; say which with --graph`);
  }
  const { parts, store } = one;
  if (parts.every((part) => readLive(part).live === store)) {
    throw new UsageError(`${store} is the live store of ${graphOf(parts[0]!)} already`);
  }
  return one;
}

/** The store that was live before. @throws FatalError `promotion-mixed` where shards were on different ones. */
function previousOf(parts: readonly GraphConfig[]): string | undefined {
  const here = parts.length === 1 ? parts : parts.filter(hasLiveStore);
  const lives = here.map((part) => ({ part, ...readLive(part) }));
  const [first] = lives;
  const other = lives.find(({ previous, live }) => previous !== first?.previous || live !== first?.live);
  if (first === undefined || other === undefined) return first?.previous ?? undefined;
  throw new FatalError(
    'promotion-mixed',
    `${first.part.name} runs on ${first.live} and ran on ${first.previous ?? 'none'} before, ${other.part.name} runs on ${other.live} and ran on ` +
      `${other.previous ?? 'none'} before. Name the store that all shards are to run on: twhin replay promote NAME --graph ${graphOf(first.part)}`,
  );
}

function inWords(result: {
  graph: string;
  store: string;
  previous: string;
  read: number;
  left: number;
  published: boolean;
}): string {
  const { graph, store, previous, read, left, published } = result;
  const topic = published
    ? 'all vectors that differ are published'
    : 'nobody runs the graph: the next twhin run publishes what differs';
  return `${store} is the live store of ${graph}: it read ${read} records more and was ${left} behind at the swap; ${topic}. ${previous} stays to go back to: twhin replay promote --rollback --graph ${graph}`;
}
