import { deadLetter, edgesName, topicName } from '../../topics/index.ts';
import type { LogConnection } from '../adapters/connect.ts';
import type { Config, GraphConfig } from '../config/resolve.ts';
import { graphOf } from '../graph/shard.ts';
import type { Log } from '../log.ts';
import type { Offsets, Trouble } from '../pipeline/ports.ts';
import { soleShares } from '../pipeline/sole-leadership.ts';
import { Router } from '../shards/routing/router.ts';
import { topicsOf } from './graph-updater.ts';
import { instanceIdOf } from './instance-id.ts';
import { warnOfTrouble } from './live.ts';

/** A shard that nothing concerns is told this often how far its events are read: what `--until-caught-up` and lag wait for. */
const MARK_MS = 500;

export interface RouterSurroundings {
  readonly connection: LogConnection;
  readonly log: Log;
  /** Full names of topics to be read from their start. */
  readonly reread?: readonly string[];
}

/** A graph or a shard that a process runs. */
export interface RoutedPart {
  readonly graph: GraphConfig;
  /** Where routers begin of which the group knows nothing; absent partitions: at the first record that is kept. */
  readonly unrouted: Offsets;
}

/** The routers of a process that runs these graphs: one for each graph that is cut, whichever of its shards the process has. */
export function composeRouters(
  config: Config,
  parts: readonly RoutedPart[],
  surroundings: RouterSurroundings,
): Promise<Router[]> {
  const cut = Map.groupBy(
    parts.filter(({ graph }) => graph.shard !== undefined),
    ({ graph }) => graphOf(graph),
  );
  return Promise.all([...cut.values()].map(([own]) => composeRouter(config, own!, surroundings)));
}

/** The router of a cut graph in the process of the shard `own`. */
async function composeRouter(
  config: Config,
  { graph: own, unrouted }: RoutedPart,
  { connection, log, reread = [] }: RouterSurroundings,
): Promise<Router> {
  const graph = graphOf(own);
  const prefix = config.topicPrefix;
  const topics = topicsOf(config, own);
  const onTrouble = (trouble: Trouble) => warnOfTrouble(log, graph, trouble);
  const shares =
    connection.shares({
      groupId: `${prefix}${graph}.routers`,
      topics: [...topics.keys()],
      onTrouble,
      // The group knows the process again after a kill.
      instanceId: `${await instanceIdOf(own)}.router`,
    }) ?? soleShares();
  return new Router({
    graph,
    shards: own.shard?.count ?? 1,
    relations: new Set(own.model.relations.map(({ name }) => name)),
    topics,
    limits: config.limits,
    edgesTopic: topicName(prefix, edgesName(graph)),
    shares,
    eventLog: connection.log({ onTrouble, aheadBytes: config.tuning.queueBytes }),
    sink: connection.sink(),
    reread,
    begin: unrouted,
    markMs: MARK_MS,
    deadLetter: (record, { code, message }) => deadLetter(record, { code, message, graph }, prefix),
    log,
    clock: Date.now,
  });
}
