import { existsSync } from 'node:fs';
import { exchangeName, topicName } from '../../../topics/index.ts';
import type { Config, GraphConfig } from '../../config/resolve.ts';
import { FatalError, UsageError } from '../../errors/errors.ts';
import type { Head } from '../../graph/head.ts';
import { graphOf } from '../../graph/shard.ts';
import type { EventLog, LogAdmin } from '../../pipeline/ports.ts';
import { recordsIn } from '../../replay/partition.ts';
import { placeOf, readLive, readOrigin, type StorePlace } from '../../state/places.ts';
import { dropPromotion, hasLiveStore, requestPromotion, settlePromotion } from '../../state/promotion.ts';
import type { CommandContext } from '../context.ts';
import { count } from '../format.ts';
import { selectTopics } from '../select.ts';
import { ahead } from './catch-up.ts';
import { check, exists, type PromoteOptions, reread } from './promotable.ts';
import { followSwap, holdLive } from './promotion.ts';

/** A shard whose store of the name is to be made live. */
interface Promoted {
  readonly plain: GraphConfig;
  /** With the settings that the store was trained with. */
  readonly graph: GraphConfig;
  readonly place: StorePlace;
  readonly head: Head;
}

/** What became of one. */
interface Outcome {
  readonly graph: string;
  readonly previous: string;
  /** Records that the store has still to read. */
  readonly left: number;
  /** Whether all vectors that differ are published; false where nobody runs the shard. */
  readonly published: boolean;
}

/**
 * Makes the stores of a name the live stores of a graph's shards: of all that have a live store in this state folder. Shards go on from
 * where their stores stand, each by itself. All are asked before any of them swaps, and a shard swaps once all are asked: a kill in
 * between leaves every shard on the store that it had.
 * parts: all shards, as the configuration has them.
 */
export async function promoteShards(
  parts: readonly GraphConfig[],
  store: string,
  options: PromoteOptions,
  context: CommandContext,
): Promise<void> {
  refuseOptions(options);
  const { output } = context;
  const started = performance.now();
  const { here, elsewhere } = sharesOf(parts, store);
  const set = settingsOf(here, store);
  const config = await context.config(set);
  const shards: Promoted[] = [];
  for (const plain of here) {
    const graph = config.graphs.find((each) => each.name === plain.name) ?? plain;
    const place = placeOf(graph, store);
    shards.push({ plain, graph, place, head: ofShard(graph, place, await check(graph, place)) });
  }
  refuseOtherSpaces(shards, store);
  const todo = shards.filter(({ plain }) => readLive(plain).live !== store);
  const left = await readable(todo, config, options, context);
  const outcomes = await swapAll(todo, store, set, context, left);
  const graph = graphOf(parts[0]!);
  const seconds = Number(((performance.now() - started) / 1000).toFixed(1));
  if (options.json === true) {
    const away = elsewhere.map(({ name }) => name);
    output.out(JSON.stringify({ graph, store, shards: outcomes, elsewhere: away, seconds }));
  } else for (const line of inWords(graph, store, outcomes, elsewhere)) output.out(line);
}

function refuseOptions({ maxLag, rate, cpuShare }: PromoteOptions): void {
  const given = [
    ['--max-lag', maxLag],
    ['--rate', rate],
    ['--cpu-share', cpuShare],
  ].flatMap(([name, value]) => (value === undefined ? [] : [name]));
  if (given.length === 0) return;
  throw new UsageError(
    `${given.join(', ')}: shards catch up by themselves, once they run on the promoted stores; leave it out`,
  );
}

/**
 * The shards to be promoted here: those with a live store in this state folder or, where none has one, those with a store of the name.
 * @throws FatalError `promotion-mixed` where some of these have no store of the name.
 */
function sharesOf(
  parts: readonly GraphConfig[],
  store: string,
): { here: readonly GraphConfig[]; elsewhere: readonly GraphConfig[] } {
  const withStore = parts.filter((part) => exists(part, store));
  const live = parts.filter(hasLiveStore);
  const here = live.length > 0 ? live : withStore;
  const lacking = here.filter((part) => !withStore.includes(part));
  const [first] = lacking;
  if (first !== undefined) {
    throw new FatalError(
      'promotion-mixed',
      `${lacking.map(({ name }) => name).join(', ')} has a live store here and no store ${store}, which other shards have: shards run on stores of ` +
        `one training. Bring the store to ${placeOf(first, store).folder}, or make ${store} for all with twhin replay --graph ${graphOf(first)} ` +
        `--into ${store}`,
    );
  }
  return { here, elsewhere: parts.filter((part) => !here.includes(part)) };
}

/** The settings that all of the stores were trained with. */
function settingsOf(parts: readonly GraphConfig[], store: string): readonly string[] {
  const sets = parts.map((part) => readOrigin(placeOf(part, store))?.set ?? []);
  const other = sets.findIndex((set) => set.join('\n') !== sets[0]?.join('\n'));
  if (other < 0) return sets[0] ?? [];
  throw notOne(parts[0]!, parts[other]!, store, 'were trained with other settings');
}

/** @throws FatalError `store-graph` where the store is another shard's. */
function ofShard({ name, shard }: GraphConfig, { folder }: StorePlace, head: Head): Head {
  if (head.graph === name && head.shard?.count === shard?.count) return head;
  throw new FatalError(
    'store-graph',
    `the store in ${folder} is that of ${head.graph}, of ${head.shard?.count ?? 1} shards, and the configuration asks for ${name} of ` +
      `${shard?.count ?? 1}. Replay the graph again, or set the number of shards to that of the store`,
  );
}

function refuseOtherSpaces(shards: readonly Promoted[], store: string): void {
  const [first] = shards;
  const other = shards.find(({ head }) => head.space !== first?.head.space);
  if (first !== undefined && other !== undefined)
    throw notOne(first.plain, other.plain, store, 'are of different trainings');
}

function notOne(a: GraphConfig, b: GraphConfig, store: string, what: string): FatalError {
  return new FatalError(
    'promotion-mixed',
    `the stores ${store} of ${a.name} and ${b.name} ${what}, and shards run on stores of one training. Bring those of one replay ` +
      `together, or replay again with twhin replay --graph ${graphOf(a)} --into NAME`,
  );
}

/** Makes sure that the log holds what each store has still to read. Gives how many records that are. */
async function readable(
  shards: readonly Promoted[],
  config: Config,
  options: PromoteOptions,
  context: CommandContext,
): Promise<number[]> {
  await using connection = await context.connect(config);
  await using reader = connection.log();
  return await context.ask(
    leftOf(shards, { config, reader, admin: connection.admin() }, options, context),
    connection.describe,
  );
}

async function leftOf(
  shards: readonly Promoted[],
  { config, reader, admin }: { config: Config; reader: EventLog; admin: LogAdmin },
  options: PromoteOptions,
  context: CommandContext,
): Promise<number[]> {
  await admin.info();
  const left: number[] = [];
  for (const { graph, place, head } of shards) {
    const again = selectTopics(config, [graph], options.reread);
    await reread(again, graph, place, context);
    const store = { config, graph, place, reader };
    left.push(recordsIn(await ahead(store)));
    const exchange = topicName(config.topicPrefix, exchangeName(graphOf(graph)));
    if (head.offsets[exchange] !== undefined && !again.includes(exchange))
      await ahead({ ...store, topics: [exchange] });
  }
  return left;
}

/**
 * Asks all shards, makes the stores live of those that nobody runs, and waits for the others. Stores that nobody runs are held
 * meanwhile. left: records that each has to read.
 */
async function swapAll(
  shards: readonly Promoted[],
  store: string,
  set: readonly string[],
  context: CommandContext,
  left: readonly number[],
): Promise<Outcome[]> {
  const log = context.log();
  const all = shards.map(({ plain, place, head }) => ({
    promotion: { graph: plain, place, openStore: context.world.openStore, log },
    previous: readLive(plain).live,
    epoch: head.epoch,
  }));
  const held: boolean[] = [];
  try {
    await using holding = new AsyncDisposableStack();
    for (const { promotion } of all) {
      const hold = await holdLive(promotion);
      holding.defer(async () => hold?.release());
      held.push(hold !== undefined);
    }
    await askAll(shards, store, set);
    for (const [i, { plain }] of shards.entries()) if (held[i]) await settlePromotion(plain);
  } catch (error) {
    throw mixed(shards, store, error);
  }
  // A refusal of one keeps all from swapping: the others do not wait for it.
  const takeBack = async (error: unknown): Promise<never> => {
    if (!shards.some(({ plain }) => readLive(plain).live === store))
      for (const { plain } of shards) await dropPromotion(plain);
    throw error;
  };
  const done = await Promise.allSettled(
    all.map(async ({ promotion, ...before }, i) =>
      held[i]
        ? false
        : followSwap(promotion, { ...before, stopping: context.stopping, output: context.output }).catch(
            takeBack,
          ),
    ),
  );
  const failed = done.find(({ status }) => status === 'rejected');
  if (failed?.status === 'rejected') throw mixed(shards, store, failed.reason);
  return done.map((each, i) => ({
    graph: shards[i]!.plain.name,
    previous: all[i]!.previous,
    left: left[i]!,
    published: each.status === 'fulfilled' && each.value,
  }));
}

async function askAll(shards: readonly Promoted[], store: string, set: readonly string[]): Promise<void> {
  try {
    for (const { plain } of shards) await requestPromotion(plain, { store, set: [...set] });
  } catch (error) {
    for (const { plain } of shards) await dropPromotion(plain);
    throw error;
  }
}

/** What one shard ended with, and which shards are on which store now. */
function mixed(shards: readonly Promoted[], store: string, reason: unknown): unknown {
  const swapped = shards.filter(({ plain }) => readLive(plain).live === store);
  if (swapped.length === 0 || swapped.length === shards.length) return reason;
  const names = (some: readonly Promoted[]) => some.map(({ plain }) => plain.name).join(', ');
  const others = shards.filter((each) => !swapped.includes(each));
  return new FatalError(
    'promotion-mixed',
    `${names(swapped)} runs on ${store}, and ${names(others)} does not: ${reason instanceof Error ? reason.message : String(reason)}. Give the ` +
      'command again; until then these shards pass over what they send each other',
    { cause: reason },
  );
}

function inWords(
  graph: string,
  store: string,
  outcomes: readonly Outcome[],
  elsewhere: readonly GraphConfig[],
): string[] {
  const lines = outcomes.map(({ graph: shard, previous, left, published }) => {
    const topic = published
      ? 'all vectors that differ are published'
      : 'nobody runs the shard: the next twhin run publishes what differs';
    return `${store} is the live store of ${shard}: ${count(left)} records were left to read; ${topic}. ${previous} stays to go back to`;
  });
  const back = `to go back: twhin replay promote --rollback --graph ${graph}`;
  if (elsewhere.length === 0) return [...lines, back];
  return [
    ...lines,
    `${elsewhere.map(({ name }) => name).join(', ')} has no live store here. Shards pass over what a shard on a store of another training ` +
      'sends, so that each is to be promoted now where it runs:',
    ...elsewhere.map((part) => {
      const { folder } = placeOf(part, store);
      const from = existsSync(folder) ? `move ${folder} to` : `bring the store ${store} to`;
      return `  ${part.name}: ${from} ${part.name}/stores/${store} in the state folder there, and give twhin replay promote ${store} --graph ${graph}`;
    }),
    back,
  ];
}
