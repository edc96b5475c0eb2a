import { deadLetter, edgesName, topicName } from '../../topics/index.ts';
import type { LogConnection } from '../adapters/connect.ts';
import type { Config, GraphConfig } from '../config/resolve.ts';
import { wholeGraphs } from '../config/whole-graphs.ts';
import { FatalError } from '../errors/errors.ts';
import type { Log } from '../log.ts';
import type { Trouble } from '../pipeline/ports.ts';
import { RoutingStage } from '../pipeline/routing/stage.ts';
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
  /** Whether the process has the shard's folder, which gives it a name that the group knows again after a kill. */
  readonly named: boolean;
}

/** The stage in front of a graph’s shards, in the process of one of them or alone. @throws FatalError where the log has no groups. */
export async function composeRouter(
  config: Config,
  graph: GraphConfig,
  { connection, log, reread = [], named }: RouterSurroundings,
): Promise<RoutingStage> {
  const [whole = graph] = wholeGraphs([graph]);
  const prefix = config.topicPrefix;
  const topics = topicsOf(config, graph);
  const onTrouble = (trouble: Trouble) => warnOfTrouble(log, whole.name, trouble);
  const shares = connection.shares({
    groupId: `${prefix}${whole.name}.routers`,
    topics: [...topics.keys()],
    onTrouble,
    ...(named && { instanceId: `${await instanceIdOf(graph)}.router` }),
  });
  if (shares === undefined) {
    throw new FatalError(
      'routing',
      `events can’t be routed on ${connection.describe}: it has no groups, in which routers divide the partitions`,
    );
  }
  return new RoutingStage({
    graph: whole.name,
    shards: graph.shard?.count ?? 1,
    relations: new Set(graph.model.relations.map(({ name }) => name)),
    topics,
    limits: config.limits,
    edgesTopic: topicName(prefix, edgesName(whole.name)),
    shares,
    eventLog: connection.log({ onTrouble, aheadBytes: config.tuning.queueBytes }),
    sink: connection.sink(),
    reread,
    markMs: MARK_MS,
    deadLetter: (record, { code, message }) =>
      deadLetter(record, { code, message, graph: whole.name }, prefix),
    log,
    clock: Date.now,
  });
}
