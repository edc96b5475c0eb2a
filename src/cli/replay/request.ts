import { createHash } from 'node:crypto';
import { topicsOf } from '../../compose/graph-updater.ts';
import type { ReplayOrder } from '../../compose/replay-run.ts';
import { declaredTopics } from '../../config/declared-topics.ts';
import { type Config, type GraphConfig, wholeGraphs } from '../../config/resolve.ts';
import { UsageError } from '../../errors/errors.ts';
import { graphOf } from '../../graph/shard.ts';
import { FIRST_STORE, placeOf, readLive, type StorePlace } from '../../state/places.ts';
import type { CommandContext } from '../context.ts';
import { noting, readTraining, type TrainingOptions } from '../training.ts';

export interface ReplayOptions extends TrainingOptions {
  readonly into?: string;
  readonly publish?: string;
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
  const { plain, parts: named, set, config, range } = await readTraining(options, load, problems);
  const name = graphOf(named[0]);
  const parts = config?.graphs.filter((each) => graphOf(each) === name) ?? [];
  const [graph] = wholeGraphs(parts);
  const places = await noting(problems, () => named.map((part) => freePlace(part, options.into)));
  checkPublish(options.publish, plain, named, problems);
  if (problems.length > 0 || !config || !graph || !places || !range)
    throw UsageError.listing('the replay cannot be done as asked', problems);
  const { from, until, publish, restart = false } = options;
  return {
    ...{ config, graph, parts, places, range, set, publish, restart },
    asked: { from, until },
    into: places[0]!.name,
    topics: [...topicsOf(plain, named[0]).keys()],
    settings: settingsOf(config, graph, parts.length),
  };
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

/** Stands for all settings that decide the store's bytes: not limits of memory, publishing, or threads, since a replay has one. */
function settingsOf({ tuning, limits }: Config, graph: GraphConfig, shards: number): string {
  const { model, maxRows: _rows, threads: _threads, ...training } = graph.trainer;
  const deciding = {
    topics: graph.topics.map(({ name, topic = name }) => topic),
    shards,
    model,
    training,
    batchEdges: tuning.batchEdges,
    commit: tuning.commitEdges,
    limits: [limits.valueBytes, limits.depth],
  };
  return createHash('sha256').update(JSON.stringify(deciding)).digest('hex');
}
