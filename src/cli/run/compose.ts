import { randomBytes } from 'node:crypto';
import { deadLetter, embeddingsName, topicName } from '../../../topics/index.ts';
import type { Log as EventLog } from '../../adapters/connect.ts';
import { imageFile } from '../../adapters/image-file.ts';
import type { openRocksdb } from '../../adapters/rocksdb/store.ts';
import { openRocksdbThread } from '../../adapters/rocksdb/thread.ts';
import { threadTrainer } from '../../adapters/trainer/thread.ts';
import type { Config, GraphConfig } from '../../config/resolve.ts';
import { forgetTopic } from '../../graph/graph-store.ts';
import type { Log } from '../../log.ts';
import type { Measures } from '../../pipeline/measures.ts';
import { StandbySource } from '../../pipeline/reading/standby-source.ts';
import type { Tuning } from '../../pipeline/tuning.ts';
import { Updater } from '../../pipeline/updater.ts';
import { imagePath, openForReading, openForWriting } from '../../state/open.ts';
import { livePlace } from '../../state/places.ts';
import type { RunGraph } from './watch/status.ts';

/** A store with fewer is loaded before a thread for it has started. */
const READER_ROWS = 50_000;

/** What an updater is composed on. */
export interface Outside {
  readonly connection: EventLog;
  readonly log: Log;
  readonly openStore?: typeof openRocksdb;
  /** It waits, with its store kept warm, until the graph's group has no other reader. */
  readonly standby?: boolean;
  /** Full names of topics to be read from their start, whatever the store says. */
  readonly reread?: readonly string[];
  /** The configuration's unless said; see {@link Tuning}. */
  readonly tuning?: Tuning;
  /** What a graph's updater is to tell its work to. */
  readonly measuresOf?: (graph: string) => Measures;
}

/** One graph's updater on a real log, a real store and a trainer thread of its own. It shares nothing with another's. */
export async function composeUpdater(
  config: Config,
  graph: GraphConfig,
  { connection, log, openStore, standby = false, reread = [], measuresOf, tuning = config.tuning }: Outside,
): Promise<Pick<RunGraph, 'updater' | 'storeMemory'>> {
  const prefix = config.topicPrefix;
  const groupId = `${prefix}${graph.name}`;
  const embeddingsTopic = topicName(prefix, embeddingsName(graph.name));
  const topics = new Map(graph.topics.map((topic) => [topicName(prefix, topic.name), topic]));
  const place = livePlace(graph);
  const store = await openForWriting(graph, { place, openStore, keepsImage: true });
  for (const topic of reread) if (topics.has(topic)) await forgetTopic(store, topic);
  const group = connection.source({
    groupId,
    standby,
    topics: [...topics.keys()],
    onTrouble: ({ brokers, since, attempt, reason }) =>
      log.warn(
        { graph: graph.name, brokers, since: new Date(since).toISOString(), attempt, reason },
        `no broker answers at ${brokers} since ${new Date(since).toISOString()}; trying again`,
      ),
  });
  const source = standby ? new StandbySource(group, connection.reader(), [...topics.keys()]) : group;
  const updater = new Updater({
    graph: graph.name,
    role: standby ? 'standby' : 'leader',
    freshSpace: freshSpace(),
    model: graph.model,
    tuning,
    limits: config.limits,
    topics,
    embeddingsTopic,
    source,
    sink: connection.sink({
      fenced: { topic: embeddingsTopic, id: groupId, confirm: () => source.confirm({ fresh: true }) },
    }),
    reader: connection.reader,
    store,
    view: async () => {
      const rows = (await store.head())?.rows ?? 0;
      return rows < READER_ROWS ? undefined : openForReading(graph, place, openRocksdbThread);
    },
    image: imageFile(imagePath(place)),
    trainer: threadTrainer(graph.trainer, config.state),
    deadLetter: (record, problem) => {
      const topic = topics.get(record.topic);
      if (topic === undefined || deadLetterGraph(config, topic.name) !== graph.name) return undefined;
      return deadLetter(record, { code: problem.code, message: problem.message, graph: graph.name }, prefix);
    },
    clock: Date.now,
    log,
    ...(measuresOf && { measures: measuresOf(graph.name) }),
  });
  return { updater, storeMemory: () => store.memory() };
}

/** A name for a run of training, like no other. */
export function freshSpace(): string {
  return randomBytes(8).toString('hex');
}

/** Several graphs may read a topic; the first of the configuration writes its dead letters, so that each is written once. */
function deadLetterGraph(config: Config, topic: string): string | undefined {
  return config.graphs.find(({ topics }) => topics.some(({ name }) => name === topic))?.name;
}
