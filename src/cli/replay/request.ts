import { createHash } from 'node:crypto';
import { topicsOf } from '../../compose/graph-updater.ts';
import type { ReplayOrder } from '../../compose/replay-run.ts';
import { declaredTopics } from '../../config/declared-topics.ts';
import { PLACES } from '../../config/overrides.ts';
import { type Config, type GraphConfig, wholeGraphs } from '../../config/resolve.ts';
import { UsageError } from '../../errors/errors.ts';
import { graphOf } from '../../graph/shard.ts';
import { readRange } from '../../replay/bound.ts';
import { FIRST_STORE, liveSettings, placeOf, readLive, type StorePlace } from '../../state/places.ts';
import type { CommandContext } from '../context.ts';
import { selectParts } from '../select.ts';

/** The options as typed on the command line. */
export interface ReplayOptions {
  readonly graph?: string;
  readonly from: string;
  readonly until: string;
  readonly into?: string;
  readonly publish?: string;
  readonly set: readonly string[];
  readonly restart?: boolean;
}

/** Names that Kafka allows for a topic, without those that Kafka uses itself. */
const TOPIC = /^(?!__)[a-zA-Z0-9._-]{1,249}$/;

/** The replay that was asked for, checked as far as possible without the log. @throws UsageError with a line for each problem. */
export async function readRequest(
  options: ReplayOptions,
  { config: load }: Pick<CommandContext, 'config'>,
): Promise<ReplayOrder> {
  const problems: string[] = [];
  const plain = await load();
  const named = selectParts(plain, options.graph);
  const name = graphOf(named[0]!);
  const set = [...liveSettings(named), ...options.set];
  for (const each of options.set.filter((setting) => PLACES.test(setting))) {
    problems.push(`--set: a replay reads and writes where the live graph does; seen ${JSON.stringify(each)}`);
  }
  const config = await noting(problems, () => load(set));
  const parts = config?.graphs.filter((each) => graphOf(each) === name) ?? [];
  const [graph] = wholeGraphs(parts);
  const places = await noting(problems, async () => named.map((part) => freePlace(part, options.into)));
  const ofGraph = named[0]!.topics;
  const reading = { nowMs: Date.now(), topics: ofGraph, prefix: plain.topicPrefix };
  const range = readRange(options, reading, problems);
  checkPublish(options.publish, plain, named, problems);
  if (problems.length > 0 || !config || !graph || !places || !range)
    throw UsageError.listing('the replay cannot be done as asked', problems);
  return {
    config,
    graph,
    parts,
    places,
    asked: { from: options.from, until: options.until },
    range,
    set,
    into: places[0]!.name,
    topics: [...topicsOf(plain, named[0]!).keys()],
    publish: options.publish,
    settings: settingsOf(config, graph, parts.length),
    restart: options.restart === true,
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

function freePlace(graph: GraphConfig, into: string | undefined): StorePlace {
  if (into === undefined)
    throw new UsageError("--into: expected a name for the replay's store, such as shadow; seen nothing");
  const place = placeOf(graph, into);
  const { live, previous } = readLive(graph);
  const what = [
    [live, 'the live store'],
    [previous, 'the previous live store'],
    [FIRST_STORE, 'the first store'],
  ].find(([name]) => name === into)?.[1];
  if (what === undefined) return place;
  throw new UsageError(
    `--into: ${into} is ${what} of ${graph.name}; a replay is written beside it, under another name`,
  );
}

function checkPublish(
  publish: string | undefined,
  config: Config,
  parts: readonly GraphConfig[],
  problems: string[],
): void {
  if (publish === undefined) return;
  const declared = declaredTopics(config).map(({ name }) => name);
  const taken = [publish, `${config.topicPrefix}${publish}`].find((name) => declared.includes(name));
  if (taken !== undefined) {
    problems.push(`--publish: ${taken} belongs to a live graph; name a topic for the replay alone`);
  } else if (!TOPIC.test(publish)) {
    problems.push(
      `--publish: expected a topic's name of letters, digits, dots, _ and -; seen ${JSON.stringify(publish)}`,
    );
  }
  if (parts.length === 1) return;
  problems.push(
    `--publish: a replay of a graph with shards publishes nothing; leave it out, and read the vectors with twhin export once the stores are live`,
  );
}

/**
 * Stands for all settings that decide the bytes of the trained store. Limits of memory, publishing and threads do not: a replay
 * trains in one thread.
 */
function settingsOf({ tuning, limits }: Config, graph: GraphConfig, shards: number): string {
  const { model, maxRows: _rows, threads: _threads, ...training } = graph.trainer;
  const deciding = {
    topics: graph.topics.map(({ name, topic = name }) => topic),
    shards,
    model,
    training,
    batchEdges: tuning.batchEdges,
    commit: [tuning.commitEdges, tuning.commitRows],
    limits: [limits.valueBytes, limits.depth],
  };
  return createHash('sha256').update(JSON.stringify(deciding)).digest('hex');
}
