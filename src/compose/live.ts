import {
  deadLetter,
  edgesName,
  embeddingsName,
  exchangeName,
  modelName,
  topicName,
} from '../../topics/index.ts';
import type { EventTopic } from '../../topics/topic.ts';
import type { LogConnection } from '../adapters/connect.ts';
import { imageFile } from '../adapters/image-file.ts';
import type { openRocksdb } from '../adapters/rocksdb/store.ts';
import { openRocksdbThread } from '../adapters/rocksdb/thread.ts';
import type { Config, GraphConfig } from '../config/resolve.ts';
import { forgetTopic } from '../graph/graph-store.ts';
import { graphOf, type Shard } from '../graph/shard.ts';
import type { StoreMemory } from '../graph/store.ts';
import type { Log } from '../log.ts';
import { agree, ownPartition } from '../pipeline/exchange/agreement.ts';
import type { ExchangePlace } from '../pipeline/exchange/exchange.ts';
import type { Measures } from '../pipeline/measures.ts';
import type { EventLog, FollowedLog, Trouble } from '../pipeline/ports.ts';
import { type RoutedCounts, routedLog } from '../pipeline/routing/routed-log.ts';
import { soleLeadership } from '../pipeline/sole-leadership.ts';
import type { Updater } from '../pipeline/updater.ts';
import { followedTopics } from '../pipeline/updater-options.ts';
import { imagePath, openForReading, openForWriting } from '../state/open.ts';
import { livePlace } from '../state/places.ts';
import { composeUpdater, freshSpace, topicsOf } from './graph-updater.ts';
import { instanceIdOf } from './instance-id.ts';

/** A store with fewer rows is loaded before a thread for it has started. */
const READER_ROWS = 50_000;

/** Records are decoded in pieces of about this size: a piece more than the queue has room for waits as objects. */
const HAND_OVER_BYTES = 64 << 10;

/** Shards merge their relation vectors this often. Every few seconds is as good as after each chunk: docs/adr/032. */
const MERGE_PACE = { mergeEdges: 20_000, mergeMs: 2_000 };

/** A shard says this often that it lives, where it has nothing else to say. */
const QUIET_MS = 10_000;

/** What a live updater is composed on. */
export interface LiveOptions {
  readonly connection: LogConnection;
  readonly log: Log;
  readonly openStore?: typeof openRocksdb;
  /** The updater keeps its store up to date, and leads once the graph's group has no other leader. */
  readonly standby?: boolean;
  /** Full names of topics to be read from their start, whatever the store says. */
  readonly reread?: readonly string[];
  /** Where a graph's updater reports its work. */
  readonly measuresOf?: (graph: string) => Measures;
}

export interface LiveUpdater {
  readonly updater: Updater;
  /** Memory of the store; undefined once the store is closed. */
  storeMemory(): Promise<StoreMemory | undefined>;
  /** What a shard met in the topic in which events are routed to it; undefined where it reads the events themselves. */
  readonly routed: RoutedCounts | undefined;
}

/** A graph's updater on its live store: the leader of the graph's group, or a standby. */
export async function composeLive(
  config: Config,
  graph: GraphConfig,
  { connection, log, openStore, standby = false, reread = [], measuresOf }: LiveOptions,
): Promise<LiveUpdater> {
  const { topicPrefix: prefix, tuning } = config;
  const groupId = `${prefix}${graph.name}`;
  const embeddingsTopic = topicName(prefix, embeddingsName(graphOf(graph)));
  const modelTopic = topicName(prefix, modelName(graphOf(graph)));
  const topics = topicsOf(config, graph);
  const place = livePlace(graph);
  // Closed again where what follows fails: the updater closes them later.
  await using opened = new AsyncDisposableStack();
  const store = opened.adopt(await openForWriting(graph, { place, openStore, keepsImage: true }), (each) =>
    each.close(),
  );
  const onTrouble = (trouble: Trouble) => warnOfTrouble(log, graph.name, trouble);
  const brokerLog = opened.adopt(
    connection.log({ onTrouble, aheadBytes: tuning.queueBytes, handOverBytes: HAND_OVER_BYTES }),
    (each) => each.close(),
  );
  const { shard, routed } = graph;
  const edgesTopic = shard && routed ? topicName(prefix, edgesName(shard.graph)) : undefined;
  const exchange = shard && exchangeOf(prefix, shard, brokerLog, edgesTopic);
  const counts: RoutedCounts | undefined = edgesTopic === undefined ? undefined : { unreadable: 0 };
  const followed = followedTopics({ topics, exchange, edgesTopic });
  for (const topic of reread) if (followed.includes(topic)) await forgetTopic(store, topic);
  const leadership =
    connection.leadership({
      groupId,
      topics: followed,
      standby,
      instanceId: await instanceIdOf(graph),
      onTrouble,
    }) ?? soleLeadership;
  const updater = composeUpdater(config, graph, {
    role: standby ? 'standby' : 'leader',
    freshSpace: freshSpace(),
    eventLog:
      shard && exchange
        ? shardLog(brokerLog, { shard, exchange, edgesTopic, counts, topics, log })
        : brokerLog,
    leadership,
    reader: brokerLog,
    embeddingsTopic,
    exchange,
    edgesTopic,
    // Merged relation vectors are the same in all shards, but for the last seconds: one of them publishes.
    ...((shard?.index ?? 0) === 0 && {
      modelTopic: { name: modelTopic, beta: graph.trainer.model.beta },
    }),
    sink: connection.sink({
      fenced: {
        topics: [
          embeddingsTopic,
          ...((shard?.index ?? 0) === 0 ? [modelTopic] : []),
          ...(exchange ? [exchange.topic] : []),
        ],
        id: groupId,
        confirm: () => leadership.confirm({ fresh: true }),
      },
    }),
    store,
    view: async () => {
      const rows = (await store.head())?.rows ?? 0;
      return rows < READER_ROWS ? undefined : openForReading(graph, place, openRocksdbThread);
    },
    // An image has no homes of entities: a shard starts from its store.
    ...(shard === undefined && { image: imageFile(imagePath(place)) }),
    tuning,
    deadLetter: (record, { code, message }) => {
      if (!topics.has(record.topic) || !writesDeadLetter(graph, record.partition)) return undefined;
      return deadLetter(record, { code, message, graph: graphOf(graph) }, prefix);
    },
    log,
    ...(measuresOf && { measures: measuresOf(graph.name) }),
  });
  opened.move();
  return { updater, storeMemory: () => store.memory(), routed: counts };
}

/** The log as a shard sees it: its own partitions of what others send it and, with routers, its own part of the events. */
function shardLog(
  log: EventLog,
  parts: {
    readonly shard: Shard;
    readonly exchange: ExchangePlace;
    readonly edgesTopic: string | undefined;
    readonly counts: RoutedCounts | undefined;
    readonly topics: ReadonlyMap<string, EventTopic>;
    readonly log: Log;
  },
): FollowedLog {
  const { shard, exchange, edgesTopic, counts, topics } = parts;
  const own = ownPartition(log, exchange.topic, shard.index);
  if (edgesTopic === undefined || counts === undefined) return own;
  return routedLog(own, { shard, edgesTopic, eventTopics: [...topics.keys()], counts }, parts.log);
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

/** Where a shard meets the others. */
function exchangeOf(
  prefix: string,
  shard: Shard,
  log: EventLog,
  edgesTopic: string | undefined,
): ExchangePlace {
  const topic = topicName(prefix, exchangeName(shard.graph));
  return {
    topic,
    agree: (stopping) => agree(log, { exchange: topic, edges: edgesTopic }, shard, stopping),
    pace: MERGE_PACE,
    quietMs: QUIET_MS,
    freshRun: freshSpace(),
  };
}

/**
 * Whether the updater writes the dead letters of an event partition. Every graph writes its own, because no graph knows
 * whether another one runs; of a graph's shards, which all read the partition, one does.
 */
export function writesDeadLetter({ shard }: Pick<GraphConfig, 'shard'>, partition: number): boolean {
  return shard === undefined || partition % shard.count === shard.index;
}
