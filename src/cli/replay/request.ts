import { fullName } from '../../../topics/index.ts';
import type { ReplayPaceOptions } from '../../compose/pace.ts';
import { declaredTopics } from '../../config/declared-topics.ts';
import type { Config, GraphConfig } from '../../config/resolve.ts';
import { wholeGraphs } from '../../config/whole-graphs.ts';
import { UsageError } from '../../errors/errors.ts';
import { graphOf } from '../../graph/shard.ts';
import { type Bound, readBound } from '../../replay/bound.ts';
import { FIRST_STORE, liveSettings, placeOf, readLive, type StorePlace } from '../../state/places.ts';
import { pendingPromotion } from '../../state/promotion.ts';
import type { CommandContext } from '../context.ts';
import { selectParts } from '../select.ts';

/** The options as typed on the command line. */
export interface ReplayOptions extends ReplayPaceOptions {
  readonly graph?: string;
  readonly from: string;
  readonly until: string;
  readonly into?: string;
  readonly publish?: string;
  readonly set: readonly string[];
  readonly restart?: boolean;
  readonly dryRun?: boolean;
  readonly json?: boolean;
}

/** The replay that was asked for, checked as far as possible without the log. */
export interface ReplayRequest {
  readonly config: Config;
  /** The graph, whole, with the settings of the replay. */
  readonly graph: GraphConfig;
  /** What is trained: the graph itself or, where it is cut, each of its shards. */
  readonly parts: readonly GraphConfig[];
  /** Full names of the topics it reads. */
  readonly topics: readonly string[];
  /** The place of each part's store. Absent for a dry run without --into. */
  readonly places: readonly StorePlace[] | undefined;
  readonly from: Bound;
  readonly until: Bound;
  readonly publish: string | undefined;
  /** Settings over the configuration file: those of the live store, then those of --set. */
  readonly set: readonly string[];
  readonly settings: Settings;
  /** Settings that differ between the live graph and the replay. */
  readonly differences: readonly SettingDifference[];
  readonly options: ReplayOptions;
}

/** Settings that say where the graph is read and written; a replay must not change them. */
export const PLACES = /^(state|topicPrefix|kafka|graphs\.[^.=]+\.shards)\b/;
/** Names that Kafka allows for a topic, without those that Kafka uses itself. */
const TOPIC = /^(?!__)[a-zA-Z0-9._-]{1,249}$/;

/** @throws UsageError with a line for each problem. */
export async function readRequest(
  options: ReplayOptions,
  { config: load }: CommandContext,
): Promise<ReplayRequest> {
  const problems: string[] = [];
  const plain = await load();
  const named = selectParts(plain, options.graph);
  const name = graphOf(named[0]!);
  const liveSet = liveSettings(named);
  const set = [...liveSet, ...options.set];
  for (const each of options.set.filter((setting) => PLACES.test(setting))) {
    problems.push(`--set: a replay reads and writes where the live graph does; seen ${shown(each)}`);
  }
  const before = await load(liveSet);
  const config = await noting(problems, () => load(set));
  const parts = config?.graphs.filter((each) => graphOf(each) === name) ?? [];
  const [graph] = wholeGraphs(parts);
  const places = await noting(problems, async () => readPlaces(named, options));
  const ofGraph = named[0]!.topics;
  const topics = ofGraph.map((topic) => fullName(plain.topicPrefix, topic));
  const reading = { nowMs: Date.now(), topics: ofGraph, prefix: plain.topicPrefix };
  const from = readBound('--from', options.from, reading, problems);
  const until = readBound('--until', options.until, reading, problems);
  if (from?.kind === 'time' && until?.kind === 'time' && until.timeMs <= from.timeMs) {
    problems.push(
      `--until: expected a time after that of --from; seen ${options.until}, from ${options.from}`,
    );
  }
  checkPublish(options.publish, plain, problems);
  if (options.publish !== undefined && named.length > 1)
    problems.push(
      `--publish: a replay of a graph with shards publishes nothing; leave it out, and read the vectors with twhin export once the stores are live`,
    );
  if (problems.length > 0 || !config || !graph || !from || !until) {
    throw new UsageError(
      `the replay cannot be done as asked; nothing was started:\n${problems.map((each) => `  ${each}`).join('\n')}`,
    );
  }
  const [liveGraph = graph] = wholeGraphs(before.graphs.filter((each) => graphOf(each) === name));
  const settings = settingsOf(config, graph, parts.length);
  return {
    config,
    graph,
    parts,
    topics,
    places,
    from,
    until,
    publish: options.publish,
    set,
    settings,
    options,
    differences: differencesOf(settingsOf(before, liveGraph, parts.length), settings),
  };
}

/** undefined: the UsageError of `work` was added to the problems. */
async function noting<T>(problems: string[], work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    problems.push(error.message);
    return undefined;
  }
}

function readPlaces(
  parts: readonly GraphConfig[],
  { into, dryRun }: ReplayOptions,
): readonly StorePlace[] | undefined {
  if (into !== undefined) return parts.map((part) => freePlace(part, into));
  if (dryRun === true) return undefined;
  throw new UsageError("--into: expected a name for the replay's store, such as shadow; seen nothing");
}

function freePlace(graph: GraphConfig, into: string): StorePlace {
  const place = placeOf(graph, into);
  const { live, previous } = readLive(graph);
  const what = [
    [live, 'the live store'],
    [previous, 'the previous live store'],
    [pendingPromotion(graph)?.store, 'about to be the live store'],
    [FIRST_STORE, 'the first store'],
  ].find(([name]) => name === into)?.[1];
  if (what === undefined) return place;
  throw new UsageError(
    `--into: ${into} is ${what} of ${graph.name}; a replay is written beside it, under another name`,
  );
}

function checkPublish(publish: string | undefined, config: Config, problems: string[]): void {
  if (publish === undefined) return;
  const declared = declaredTopics(config).map(({ name }) => name);
  const taken = [publish, `${config.topicPrefix}${publish}`].find((name) => declared.includes(name));
  if (taken !== undefined) {
    problems.push(`--publish: ${taken} belongs to a live graph; name a topic for the replay alone`);
  } else if (!TOPIC.test(publish)) {
    problems.push(
      `--publish: expected a topic's name of letters, digits, dots, _ and -; seen ${shown(publish)}`,
    );
  }
}

function shown(value: string | undefined): string {
  return value === undefined ? 'nothing' : JSON.stringify(value);
}

/** Settings by their names in the configuration file, values as text. */
export type Settings = Readonly<Record<string, string>>;

/**
 * All settings that decide the bytes of the trained store. Limits of memory, publishing and threads do not: a replay
 * trains in one thread.
 */
function settingsOf({ tuning, limits }: Config, graph: GraphConfig, shards: number): Settings {
  const { model, maxRows: _rows, threads: _threads, ...training } = graph.trainer;
  return flat({
    topics: graph.topics.map(({ name, topic = name }) => topic),
    ...(shards > 1 && { shards }),
    model,
    training: { ...training, batchEdges: tuning.batchEdges },
    commit: { everyEdges: tuning.commitEdges, mostRows: tuning.commitRows },
    limits: { valueBytes: limits.valueBytes, depth: limits.depth },
  });
}

export interface SettingDifference {
  readonly key: string;
  readonly before: string;
  readonly after: string;
}

export function differencesOf(before: Settings, after: Settings): SettingDifference[] {
  const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort();
  return keys
    .map((key) => ({ key, before: before[key] ?? 'nothing', after: after[key] ?? 'nothing' }))
    .filter((each) => each.before !== each.after);
}

function flat(value: object, path = ''): Record<string, string> {
  return Object.fromEntries(
    Object.entries(value).flatMap(([name, inner]: [string, unknown]) => {
      const key = `${path}${name}`;
      const plain = typeof inner !== 'object' || inner === null || Array.isArray(inner);
      return plain ? [[key, JSON.stringify(inner)]] : Object.entries(flat(inner, `${key}.`));
    }),
  );
}
