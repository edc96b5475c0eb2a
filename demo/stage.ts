import { mkdir, rm } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { startBroker } from '../broker/start.ts';
import { connect, type Log as EventLog } from '../src/adapters/connect.ts';
import { declaredTopics } from '../src/config/declared-topics.ts';
import { loadConfig } from '../src/config/load.ts';
import type { Config } from '../src/config/resolve.ts';
import { RetryableError } from '../src/errors.ts';
import { applyTopics, planTopics } from '../src/pipeline/topic-plan.ts';

/** What a demo plays on: a log of topics, fresh stores, the configuration that names both. */
export interface Stage {
  readonly config: Config;
  readonly connection: EventLog;
  /** The log as a person would say it. */
  readonly log: string;
  /** What a shell has to set to reach this stage, `NAME=value`. */
  readonly environment: readonly string[];
  /** Stops the broker, if it is ours. */
  close(): Promise<void>;
}

export interface StageOptions {
  /** Emptied first. */
  readonly folder: string;
  readonly embedded: boolean;
  readonly keep: boolean;
  readonly env: NodeJS.ProcessEnv;
  /** Names the topics on a cluster that is not ours, where an earlier demo's may still be. */
  readonly now: Date;
  readonly say: (line: string) => void;
}

/** Finds or starts a log, makes its topics. @throws when neither Kafka nor its configuration can be used. */
export async function setStage(options: StageOptions): Promise<Stage> {
  const { folder, env, say } = options;
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  const broker = await findLog(options);
  try {
    const foreign = broker.source === 'KAFKA_BROKERS';
    const own = foreign
      ? `twhin-demo-${options.now.toISOString().replace(/\D/g, '').slice(0, 14)}.`
      : undefined;
    const prefix = env['TWHIN_TOPIC_PREFIX'] ?? own;
    const state = join(folder, 'state');
    const shown = { KAFKA_BROKERS: broker.brokers, TWHIN_STATE: state, TWHIN_TOPIC_PREFIX: prefix };
    const config = await loadConfig({ ...env, ...shown }, process.cwd());
    const connection = connect(config.kafka);
    const admin = connection.admin();
    const declared = declaredTopics(config);
    await applyTopics(admin, planTopics(declared, await admin.describe(declared.map(({ name }) => name))));
    say(
      `${connection.describe}: ${declared.length} topics, names start with ${JSON.stringify(config.topicPrefix)}`,
    );
    const environment = [`TWHIN_STATE=${relative(process.cwd(), state)}`];
    if (prefix !== undefined) environment.push(`TWHIN_TOPIC_PREFIX=${prefix}`);
    // Without --keep our own broker is gone by the time anybody could use its address.
    if (options.keep || foreign || options.embedded) environment.unshift(`KAFKA_BROKERS=${broker.brokers}`);
    return {
      config,
      connection,
      log: connection.describe,
      environment,
      close: async () => {
        await connection.close();
        await broker.stop();
      },
    };
  } catch (error) {
    await broker.stop();
    throw error;
  }
}

interface FoundLog {
  readonly source: string;
  readonly brokers: string;
  stop(): Promise<void>;
}

async function findLog({ folder, embedded, keep, env, say }: StageOptions): Promise<FoundLog> {
  const files = { source: 'embedded', brokers: `file:${join(folder, 'log')}`, stop: async () => undefined };
  if (embedded) return files;
  try {
    return await startBroker({ dir: join(folder, 'kafka'), keep, env, onProgress: say });
  } catch (error) {
    if (!(error instanceof RetryableError && error.code === 'no-broker')) throw error;
    say(`No Kafka: ${error.message}. Going on with a log of files in its place.`);
    return files;
  }
}
