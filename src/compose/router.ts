import { deadLetter } from '../../topics/index.ts';
import type { Config, GraphConfig } from '../config/resolve.ts';
import type { Shard } from '../graph/shard.ts';
import type { Trouble } from '../pipeline/ports.ts';
import { soleShares } from '../pipeline/sole-leadership.ts';
import { Router } from '../shards/routing/router.ts';
import { readHead } from '../state/open.ts';
import { routedGraphOf } from './graph-updater.ts';
import { instanceIdOf, type LiveOptions, warnOfTrouble } from './live.ts';

/** A shard that nothing concerns is told this often how far its events are read: what `--until-caught-up` and lag wait for. */
const MARK_MS = 500;

type RouterSurroundings = Pick<LiveOptions, 'connection' | 'log' | 'reread' | 'goOn'>;

/** The routers of a process that runs these graphs: one for each graph that is cut, whichever of its shards the process has. */
export function composeRouters(
  config: Config,
  graphs: readonly GraphConfig[],
  surroundings: RouterSurroundings,
): Promise<Router[]> {
  const routers = new Map<string, Promise<Router>>();
  for (const own of graphs) {
    const { shard } = own;
    if (shard === undefined || routers.has(shard.graph)) continue;
    routers.set(shard.graph, composeRouter(config, shard, own, surroundings));
  }
  return Promise.all(routers.values());
}

/** The router of a cut graph in the process of the shard `own`. */
async function composeRouter(
  config: Config,
  shard: Shard,
  own: GraphConfig,
  { connection, log, reread = [], goOn = [] }: RouterSurroundings,
): Promise<Router> {
  const routed = routedGraphOf(config, own, shard);
  const { graph, topics } = routed;
  const { positions = {} } = (await readHead(own)) ?? {};
  const prefix = config.topicPrefix;
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
    ...routed,
    shares,
    eventLog: connection.log({ onTrouble, aheadBytes: config.tuning.queueBytes }),
    sink: connection.sink(),
    reread,
    goOn,
    // A store without routed events was made of a whole graph: its offsets are where routing begins.
    begin: positions[routed.edgesTopic] === undefined ? positions : {},
    markMs: MARK_MS,
    deadLetter: (record, { code, message }) => deadLetter(record, { code, message, graph }, prefix),
    log,
    clock: Date.now,
  });
}
