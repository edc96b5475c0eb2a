import { deadLetter, embeddingsName, topicName } from '../../topics/index.ts';
import type { Log as EventLog } from '../adapters/connect.ts';
import type { openRocksdb } from '../adapters/rocksdb-store.ts';
import { threadTrainer } from '../adapters/trainer-thread.ts';
import type { Config, GraphConfig } from '../config/resolve.ts';
import type { Log } from '../log.ts';
import { Updater } from '../pipeline/updater.ts';
import { openForWriting } from '../state/open.ts';

/** What an updater is composed on. */
export interface Outside {
  readonly connection: EventLog;
  readonly log: Log;
  readonly openStore?: typeof openRocksdb;
}

/** One graph's updater on a real log, a real store and a trainer thread of its own. It shares nothing with another's. */
export async function composeUpdater(
  config: Config,
  graph: GraphConfig,
  { connection, log, openStore }: Outside,
): Promise<Updater> {
  const prefix = config.topicPrefix;
  const topics = new Map(graph.topics.map((topic) => [topicName(prefix, topic.name), topic]));
  const store = await openForWriting(graph, { openStore });
  const source = connection.source({
    groupId: `${prefix}${graph.name}`,
    topics: [...topics.keys()],
    onTrouble: ({ brokers, since, attempt, reason }) =>
      log.warn(
        { graph: graph.name, brokers, since: new Date(since).toISOString(), attempt, reason },
        `no broker answers at ${brokers} since ${new Date(since).toISOString()}; trying again`,
      ),
  });
  return new Updater({
    graph: graph.name,
    model: graph.model,
    pace: config.pace,
    limits: config.limits,
    topics,
    embeddingsTopic: topicName(prefix, embeddingsName(graph.name)),
    source,
    sink: connection.sink(),
    store,
    trainer: threadTrainer(graph.trainer),
    deadLetter: (record, problem) => {
      const topic = topics.get(record.topic);
      if (topic === undefined || deadLetterGraph(config, topic.name) !== graph.name) return undefined;
      return deadLetter(record, { code: problem.code, message: problem.message, graph: graph.name }, prefix);
    },
    clock: Date.now,
    log,
  });
}

/** Several graphs may read a topic; the first of the configuration writes its dead letters, so that each is written once. */
function deadLetterGraph(config: Config, topic: string): string | undefined {
  return config.graphs.find(({ topics }) => topics.some(({ name }) => name === topic))?.name;
}
