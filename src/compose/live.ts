import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { deadLetter, embeddingsName, exchangeName, modelName, topicName } from '../../topics/index.ts';
import type { LogConnection } from '../adapters/connect.ts';
import type { openRocksdb } from '../adapters/rocksdb/store.ts';
import type { Config, GraphConfig } from '../config/resolve.ts';
import { forgetTopic, goOnWith } from '../graph/graph-store.ts';
import { graphOf, shardName } from '../graph/shard.ts';
import type { Log } from '../log.ts';
import type { Measures } from '../pipeline/measures.ts';
import { alone } from '../pipeline/neighbours.ts';
import type { Trouble } from '../pipeline/ports.ts';
import { soleLeadership } from '../pipeline/sole-leadership.ts';
import { followedTopics } from '../pipeline/updater-options.ts';
import { agree } from '../shards/agreement.ts';
import { ShardNeighbourhood } from '../shards/neighbourhood.ts';
import { ShardLog } from '../shards/routing/shard-log.ts';
import { writeAside } from '../state/json-file.ts';
import { openForWriting } from '../state/open.ts';
import { livePlace, type StorePlace } from '../state/places.ts';
import { composeUpdater, freshSpace, routedGraphOf, topicsOf } from './graph-updater.ts';

/**
 * Relation vectors are merged every few seconds, which is as good as after each chunk: docs/adr/032. A shard says every ten seconds
 * that it lives, where it has nothing else to say.
 */
const PACE = { mergeEdges: 20_000, mergeMs: 2_000, quietMs: 10_000, wantMs: 1_000 };

/** What a live updater is composed on. */
export interface LiveOptions {
  readonly connection: LogConnection;
  readonly log: Log;
  readonly openStore?: typeof openRocksdb;
  /** The updater keeps its store up to date, and leads once the graph's group has no other leader. */
  readonly standby?: boolean;
  /** Full names of topics to be read from their start, whatever the store says. */
  readonly reread?: readonly string[];
  /** Full names of topics that go on with the records that their logs still have. */
  readonly goOn?: readonly string[];
  /** The live store's unless said. */
  readonly place?: StorePlace;
  /** Where a graph's updater reports its work. */
  readonly measuresOf?: (graph: string) => Measures;
}

/** A graph's updater on its live store: the leader of the graph's group, or a standby. */
export async function composeLive(
  config: Config,
  graph: GraphConfig,
  {
    connection,
    log,
    openStore,
    standby = false,
    reread = [],
    goOn = [],
    measuresOf,
    place = livePlace(graph),
  }: LiveOptions,
) {
  const { topicPrefix: prefix, tuning } = config;
  const groupId = `${prefix}${graph.name}`;
  const embeddingsTopic = topicName(prefix, embeddingsName(graphOf(graph)));
  const modelTopic = topicName(prefix, modelName(graphOf(graph)));
  const topics = topicsOf(config, graph);
  // Closed again where what follows fails: the updater closes them later.
  await using opened = new AsyncDisposableStack();
  const store = opened.use(await openForWriting(graph, { place, openStore }));
  const onTrouble = (trouble: Trouble) => warnOfTrouble(log, graph.name, trouble);
  const brokerLog = opened.use(connection.log({ onTrouble, aheadBytes: tuning.queueBytes }));
  const { shard } = graph;
  const exchangeTopic = topicName(prefix, exchangeName(graphOf(graph)));
  const routed = shard && routedGraphOf(config, graph, shard);
  // Merged relation vectors are the same in all shards, but for the last seconds: one of them publishes.
  const publishesModel = (shard?.index ?? 0) === 0;
  const neighbourhood = routed
    ? new ShardNeighbourhood({
        shard,
        topic: exchangeTopic,
        edgesTopic: routed.edgesTopic,
        pace: PACE,
        agree: (stopping) => agree(brokerLog, [exchangeTopic, routed.edgesTopic], shard, stopping),
        freshRun: freshSpace(),
      })
    : alone;
  const followed = followedTopics({ topics, neighbourhood });
  // Events that were routed before may be lost ones: the shard reads what it lacks from the event topics.
  if (routed && [...reread, ...goOn].some((topic) => topics.has(topic)))
    await goOnWith(store, routed.edgesTopic, async () => {
      const offset = (await brokerLog.ranges([routed.edgesTopic]))[shard.index]?.high ?? 0;
      return { [routed.edgesTopic]: { [shard.index]: { offset } } };
    });
  for (const topic of reread) if (followed.includes(topic)) await forgetTopic(store, topic);
  for (const topic of goOn.filter((each) => followed.includes(each))) {
    const positions = await goOnWith(store, topic, (known) => brokerLog.agreed(known));
    log.info({ graph: graph.name, topic, ...positions }, 'goes on with the records that the log still has');
  }
  const whole = `${prefix}${graphOf(graph)}`;
  const leadership =
    connection.leadership({
      groupId,
      topics: followed,
      standby,
      // Shards publish to the topics of the whole graph, and have groups of their own.
      beside: async () => {
        if (shard) return [whole];
        const [missing] = await connection.admin().missing([exchangeTopic]);
        const parts = missing === undefined ? await brokerLog.ranges([exchangeTopic]) : [];
        return parts.map(({ partition }) => shardName({ graph: whole, index: partition }));
      },
      instanceId: await instanceIdOf(graph),
      onTrouble,
    }) ?? soleLeadership;
  const updater = composeUpdater(config, graph, {
    role: standby ? 'standby' : 'leader',
    freshSpace: freshSpace(),
    eventLog: routed
      ? new ShardLog(brokerLog, { ...routed, index: shard.index, exchangeTopic }, log)
      : brokerLog,
    leadership,
    reader: brokerLog,
    embeddingsTopic,
    neighbourhood,
    ...(publishesModel && { modelTopic: { name: modelTopic, beta: graph.trainer.model.beta } }),
    sink: connection.sink({
      fenced: {
        topics: [embeddingsTopic, ...(publishesModel ? [modelTopic] : []), ...(shard ? [exchangeTopic] : [])],
        id: groupId,
        confirm: () => leadership.confirm(),
      },
    }),
    store,
    tuning,
    // Every graph writes its own, because no graph knows whether another one runs. Those of shards are the routers'.
    deadLetter: (record, { code, message }) =>
      shard || !topics.has(record.topic)
        ? undefined
        : deadLetter(record, { code, message, graph: graph.name }, prefix),
    log,
    ...(measuresOf && { measures: measuresOf(graph.name) }),
  });
  opened.move();
  return { updater, storeMemory: () => store.memory() };
}

export function warnOfTrouble(log: Log, graph: string, trouble: Trouble): void {
  const { brokers, attempt, code, reason } = trouble;
  const since = new Date(trouble.since).toISOString();
  const what = code === 'broker-unreachable' ? 'no broker answers' : 'the brokers answer with a refusal';
  log.warn(
    { graph, brokers, since, attempt, code, reason },
    `${what} at ${brokers} since ${since}; trying again`,
  );
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/**
 * The name under which processes on this graph's state folder join its group, one after the other: with it a process that
 * comes back after a kill is given its predecessor's place at once. It is made once, and kept in `instance-id` beside the
 * graph's stores; no backup holds it, because a restored copy elsewhere is another member.
 * @throws FatalError `store-write` when the file can't be written.
 */
export async function instanceIdOf({ folder }: Pick<GraphConfig, 'folder'>): Promise<string> {
  const path = join(folder, 'instance-id');
  // A file that can't be read is no name that this process could keep.
  const known = (await readFile(path, 'utf8').catch(() => '')).trim();
  if (UUID.test(known)) return known;
  const id = randomUUID();
  await writeAside(path, `${id}\n`);
  return id;
}
