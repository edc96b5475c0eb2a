import { eventDeclaration } from '../../../topics/index.ts';
import { type Failure, retrying } from '../../adapters/backoff.ts';
import type { LogConnection } from '../../adapters/connect.ts';
import { declaredTopics } from '../../config/declared-topics.ts';
import type { Config, GraphConfig } from '../../config/resolve.ts';
import { RetryableError, reasonOf } from '../../errors/errors.ts';
import type { Log } from '../../log.ts';
import { createdTopics, replayGaps } from '../../pipeline/topic-plan.ts';

/** Creates the topics that are missing, and waits as long as no broker answers; returns early when stopped. */
export async function createTopics(
  config: Config,
  connection: LogConnection,
  stopping: AbortSignal,
  log: Log,
): Promise<void> {
  const admin = connection.admin();
  const create = async () => {
    if (!stopping.aborted) await admin.create(createdTopics(declaredTopics(config)));
  };
  const onTrouble = ({ error, attempt, since: sinceMs }: Failure) => {
    const since = new Date(sinceMs).toISOString();
    log.warn(
      { brokers: config.kafka.brokers.join(','), since, attempt, reason: reasonOf(error) },
      `topics cannot be created at ${connection.describe} since ${since}; trying again`,
    );
  };
  await retrying(create, { signal: stopping, onTrouble }).catch((error) => {
    if (!stopping.aborted || !(error instanceof RetryableError)) throw error;
  });
}

/** Logs what a replay would lack. A start never fails for it: the right to look at settings may be missing. */
export async function tellReplayGaps(
  config: Config,
  graphs: readonly GraphConfig[],
  connection: LogConnection,
  log: Log,
): Promise<void> {
  if (connection.keepsAll) return;
  const topics = [...new Set(graphs.flatMap((graph) => graph.topics))];
  const declared = topics.map((topic) => eventDeclaration(topic, config.topicPrefix, config.eventRetention));
  try {
    const actual = await connection.admin().describe(declared.map(({ name }) => name));
    for (const gap of replayGaps(declared, actual)) log.info({}, gap);
  } catch (error) {
    log.debug({ reason: reasonOf(error) }, 'how long the event topics keep their events is not known');
  }
}
