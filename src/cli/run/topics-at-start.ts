import { eventDeclaration } from '../../../topics/index.ts';
import { backoffMs, pause } from '../../adapters/backoff.ts';
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
  const since = new Date().toISOString();
  for (let attempt = 1; !stopping.aborted; attempt++) {
    try {
      await admin.create(createdTopics(declaredTopics(config)));
      return;
    } catch (error) {
      if (!(error instanceof RetryableError)) throw error;
      log.warn(
        { brokers: config.kafka.brokers.join(','), since, attempt, reason: error.message },
        `topics cannot be created at ${connection.describe} since ${since}; trying again`,
      );
      await pause(backoffMs(attempt), stopping);
    }
  }
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
