import { backoffMs, pause } from '../../adapters/backoff.ts';
import type { LogConnection } from '../../adapters/connect.ts';
import { declaredTopics } from '../../config/declared-topics.ts';
import type { Config } from '../../config/resolve.ts';
import { RetryableError } from '../../errors/errors.ts';
import type { Log } from '../../log.ts';
import { applyTopics, planTopics } from '../../pipeline/topic-plan.ts';

/** Creates the topics, and waits as long as no broker answers; returns early when stopped. */
export async function createTopics(
  config: Config,
  connection: LogConnection,
  stopping: AbortSignal,
  log: Log,
): Promise<void> {
  const admin = connection.admin();
  const declared = declaredTopics(config);
  const since = new Date().toISOString();
  for (let attempt = 1; !stopping.aborted; attempt++) {
    try {
      await applyTopics(admin, planTopics(declared, await admin.describe(declared.map(({ name }) => name))));
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
