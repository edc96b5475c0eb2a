import { existsSync } from 'node:fs';
import { edgesName, exchangeName, fullName, type TopicNames, topicNamed } from '../../topics/index.ts';
import { CONFIG_FILE, type ConfigSource } from '../config/load.ts';
import { type Config, type GraphConfig, wholeGraphs } from '../config/resolve.ts';
import { FatalError, UsageError } from '../errors/errors.ts';
import type { GraphStore } from '../graph/graph-store.ts';
import { graphOf, shardName } from '../graph/shard.ts';
import { isStore, openForReading } from '../state/open.ts';
import { type Live, livePlace, placeOf, readLive, type StorePlace } from '../state/places.ts';
import { asOf, count } from './format.ts';
import type { Output } from './output.ts';

/**
 * The named graphs in the order of the configuration; all graphs if none is named. The name of a graph with shards stands for
 * all of its shards, and `engagement-3` for one of them. @throws UsageError listing the graphs.
 */
export function selectGraphs(config: Config, names: readonly string[] | undefined): readonly GraphConfig[] {
  return selectFrom(config.graphs, names, (graph) => [graph.name, graphOf(graph)]);
}

/** As {@link selectGraphs}, each graph once and whole, for commands that only read topics. @throws UsageError listing the graphs. */
export function selectWholeGraphs(
  config: Config,
  names: readonly string[] | undefined,
): readonly GraphConfig[] {
  return selectFrom(config.graphs, names, ({ name }) => [name], wholeGraphs(config.graphs));
}

function selectFrom(
  all: readonly GraphConfig[],
  names: readonly string[] | undefined,
  namesOf: (graph: GraphConfig) => string[],
  graphs = all,
): readonly GraphConfig[] {
  if (names === undefined || names.length === 0) return graphs;
  const unknown = names.filter((name) => !graphs.flatMap(namesOf).includes(name));
  if (unknown.length > 0)
    throw new UsageError(
      `no graph ${unknown.join(', ')}; the configuration has ${graphNames(all).join(', ')}`,
    );
  return graphs.filter((graph) => namesOf(graph).some((name) => names.includes(name)));
}

/** A graph, and a store of it that exists. */
export interface ChosenStore {
  readonly graph: GraphConfig;
  readonly place: StorePlace;
}

/**
 * The live stores of the named graphs, or their stores of a name. Says which graphs have no live store yet: with the wrong state folder,
 * every graph would look new and well.
 * @throws FatalError `store-missing` where no graph has a live store, or one has none of the name; UsageError as {@link selectGraphs}.
 */
export function selectStores(
  config: Config,
  output: Output,
  graphs: readonly string[] | undefined,
  name?: string,
): readonly ChosenStore[] {
  const chosen = selectGraphs(config, graphs).map((graph) => ({
    graph,
    place: name === undefined ? livePlace(graph) : placeOf(graph, name),
  }));
  const missing = chosen.filter(({ place }) => !isStore(place));
  if (missing.length === 0) return chosen;
  const names = missing.map(({ graph }) => graph.name).join(', ');
  if (name === undefined && missing.length < chosen.length) {
    output.err(`no store yet: ${names}; twhin run makes it`);
    return chosen.filter((each) => !missing.includes(each));
  }
  const seen = existsSync(config.state) ? config.state : `${config.state}, which does not exist`;
  const [what, how] = name === undefined ? ['', 'twhin run'] : [` ${name}`, `twhin replay --into ${name}`];
  throw new FatalError(
    'store-missing',
    `there is no store${what} of ${names} in the state folder ${seen}; set TWHIN_STATE to the folder that holds the stores, or make them ` +
      `with: ${how}`,
  );
}

/** Opens a store for reading. @throws FatalError `store-missing` where it is gone since it was chosen. */
export async function openChosen({ graph, place }: ChosenStore): Promise<GraphStore> {
  const store = await openForReading(graph, place);
  if (store === undefined)
    throw new FatalError('store-missing', `there is no store in ${place.folder} any more`);
  return store;
}

/** Says on `err` that a store's vectors are older than the store, where they are. name: of the store, where there are several. */
export async function tellOfLag(store: GraphStore, output: Output, name?: string): Promise<void> {
  const { step = 0, at } = (await store.checkpoint())?.head ?? {};
  const stored = (await store.head())?.step ?? 0;
  if (step < stored)
    output.err(
      `the vectors${name === undefined ? '' : ` of ${name}`} are as of ${asOf({ step, at })}, and the store is at step ${count(stored)}: twhin run writes checkpoints as it goes on, and one of its last commit when it is stopped`,
    );
}

/**
 * The graph after a `--graph` that has to be given: alone where it is whole, or as all of its shards, in their order.
 * @throws UsageError where a shard is named; listing the graphs where there is none of the name.
 */
export function selectParts(
  { graphs }: Pick<Config, 'graphs'>,
  name: string | undefined,
): readonly [GraphConfig, ...GraphConfig[]] {
  const [first, ...others] = graphs.filter((graph) => graphOf(graph) === name);
  if (first !== undefined) return [first, ...others];
  const shard = graphs.find((graph) => graph.name === name)?.shard;
  if (shard !== undefined) {
    throw new UsageError(
      `${name} is one of ${shard.count} shards, and this command needs all of them. Name the whole graph: --graph ${shard.graph}`,
    );
  }
  const seen = name === undefined ? 'nothing' : JSON.stringify(name);
  throw new UsageError(`--graph: expected one of ${graphNames(graphs).join(', ')}; seen ${seen}`);
}

/** What `--graph` may name, for people: `follow`, and `engagement (engagement-0 to engagement-7)` of a graph with shards. */
export function graphNames(graphs: readonly GraphConfig[]): string[] {
  return graphs.flatMap(({ name, shard }) => {
    if (shard === undefined) return [name];
    const last = shardName({ graph: shard.graph, index: shard.count - 1 });
    return shard.index === 0 ? [`${shard.graph} (${name} to ${last})`] : [];
  });
}

/**
 * Full names of the topics after `--reread` or another option, which may be given by their names in the configuration or by their full names.
 * @throws UsageError listing the topics.
 */
export function selectTopics(
  { topicPrefix }: Config,
  graphs: readonly GraphConfig[],
  named: readonly string[],
  option = '--reread',
): string[] {
  const topics = graphs.flatMap(({ topics: events, shard }): TopicNames[] => [
    ...events,
    ...(shard ? [{ name: exchangeName(shard.graph) }, { name: edgesName(shard.graph) }] : []),
  ]);
  return named.map((name) => fullName(topicPrefix, topicAfter(option, topicPrefix, topics, name)));
}

/** The one of `topics` after an option, by its name in the configuration or its full name. @throws UsageError listing them. */
export function topicAfter<T extends TopicNames>(
  option: string,
  prefix: string,
  topics: readonly T[],
  name: string,
): T {
  const found = topicNamed(prefix, topics, name);
  if (found !== undefined) return found;
  const known = [...new Set(topics.map((topic) => fullName(prefix, topic)))].join(', ');
  const expected = known === '' ? 'the whole name of a defined topic; there is none' : `one of ${known}`;
  throw new UsageError(`${option}: expected ${expected}; seen ${name}`);
}

/** The names of the whole graphs of a configuration. */
export function graphsOf({ graphs }: Config): string {
  return [...new Set(graphs.map(graphOf))].join(', ');
}

/** A command in the wrong folder works on other graphs than its user thinks, and has to say so. */
export function withoutFile(config: Config, cwd: string): string {
  return `there is no ${CONFIG_FILE} in ${cwd}: the defaults count, with the graphs ${graphsOf(config)}`;
}

/**
 * Configuration and graph with the settings that the live store was trained with.
 * @throws UsageError when they no longer go with the rest of the configuration.
 */
export async function asLive(
  config: Config,
  graph: GraphConfig,
  configWith: ConfigSource,
  { live, set }: Live = readLive(graph),
): Promise<{ config: Config; graph: GraphConfig; set: readonly string[] }> {
  if (set.length === 0) return { config, graph, set };
  const changed = await configWith(set);
  const same = changed.graphs.find(({ name }) => name === graph.name);
  if (same === undefined) {
    throw new FatalError('live-store', `${live} is live with ${set.join(' ')}: no graph ${graph.name}`);
  }
  return { config: changed, graph: same, set };
}
