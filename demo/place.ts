import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { startBroker } from '../broker/start.ts';
import { reasonOf, TwhinError } from '../src/errors/errors.ts';

/** The log and the stores of a demo, and the environment that makes `twhin` commands use them. */
export interface Place {
  /** The log in words. */
  readonly log: string;
  readonly env: { KAFKA_BROKERS: string; TWHIN_STATE: string; TWHIN_TOPIC_PREFIX: string };
  stop(): Promise<void>;
}

/** The demo's folder, emptied at each start. */
const FOLDER = join('.twhin', 'demo');

/**
 * Finds or starts the log. Without a broker, or with `embedded`, the log is the embedded file log, and a line says so.
 * On a broker that was running before, the demo's topics get a separate prefix.
 */
export async function findPlace(
  root: string,
  options: { embedded: boolean },
  say: (line: string) => void,
): Promise<Place> {
  const folder = join(root, FOLDER);
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  const env = { TWHIN_STATE: join(FOLDER, 'state'), TWHIN_TOPIC_PREFIX: 'twhin.' };
  const embedded = (why: string): Place => {
    say(`No Kafka (${why}): using the embedded file log.`);
    return {
      log: 'the embedded file log',
      env: { ...env, KAFKA_BROKERS: `file:${join(FOLDER, 'log')}` },
      stop: async () => {},
    };
  };
  if (options.embedded) return embedded('as asked');
  try {
    const broker = await startBroker({ dir: join(folder, 'kafka'), onProgress: say });
    const own = broker.source !== 'KAFKA_BROKERS';
    const prefix = own ? env.TWHIN_TOPIC_PREFIX : `twhin.demo-${Date.now().toString(36)}.`;
    return {
      log: `Apache Kafka at ${broker.brokers} (${own ? `started from ${broker.source}` : 'KAFKA_BROKERS'})`,
      env: { ...env, KAFKA_BROKERS: broker.brokers, TWHIN_TOPIC_PREFIX: prefix },
      stop: () => broker.stop(),
    };
  } catch (error) {
    if (error instanceof TwhinError && error.code === 'no-broker') return embedded(reasonOf(error));
    throw error;
  }
}
