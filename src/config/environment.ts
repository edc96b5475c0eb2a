import type { KafkaSettings } from '../adapters/kafka/settings.ts';
import type { TelemetrySettings } from '../telemetry/start.ts';
import { readTelemetry } from './telemetry.ts';

/** Where brokers are, how to reach them and where stores go, as the environment has it. */
export interface Environment {
  readonly brokers: readonly string[] | undefined;
  readonly state: string | undefined;
  readonly topicPrefix: string | undefined;
  readonly http: string | undefined;
  readonly configFile: string | undefined;
  readonly ssl: boolean;
  readonly caFile: string | undefined;
  readonly sasl: KafkaSettings['sasl'] | undefined;
  /** What OpenTelemetry is to send; undefined: nothing. */
  readonly telemetry: TelemetrySettings | undefined;
}

/** What Kafka takes as the start of a topic's name; empty is a choice too. */
export const TOPIC_PREFIX = /^[a-zA-Z0-9._-]{0,150}$/;
export const TOPIC_PREFIX_RULE = 'up to 150 letters, digits, dots, _ and -';

const MECHANISMS = ['plain', 'scram-sha-256', 'scram-sha-512'] as const;

/** Reads the environment once. `problems` gets a line for each variable that can't be used; values of secrets never. */
export function readEnvironment(env: NodeJS.ProcessEnv, problems: string[]): Environment {
  const text = (name: string) => (env[name] === '' ? undefined : env[name]);
  return {
    brokers: text('KAFKA_BROKERS')
      ?.split(',')
      .map((broker) => broker.trim()),
    state: text('TWHIN_STATE'),
    // An empty prefix is a choice, not an absence.
    topicPrefix: readPrefix(env['TWHIN_TOPIC_PREFIX'], problems),
    http: text('TWHIN_HTTP'),
    configFile: text('TWHIN_CONFIG'),
    ssl: flag(env, 'KAFKA_SSL', problems),
    caFile: text('KAFKA_SSL_CA'),
    sasl: readSasl(text, problems),
    telemetry: readTelemetry(env, problems),
  };
}

function readPrefix(prefix: string | undefined, problems: string[]): string | undefined {
  if (prefix !== undefined && !TOPIC_PREFIX.test(prefix)) {
    problems.push(`TWHIN_TOPIC_PREFIX: expected ${TOPIC_PREFIX_RULE}, seen ${JSON.stringify(prefix)}`);
  }
  return prefix;
}

function flag(env: NodeJS.ProcessEnv, name: string, problems: string[]): boolean {
  const value = env[name];
  if (value === undefined || value === '' || value === 'false') return false;
  if (value !== 'true') problems.push(`${name}: expected true or false, seen ${JSON.stringify(value)}`);
  return value === 'true';
}

function readSasl(
  text: (name: string) => string | undefined,
  problems: string[],
): KafkaSettings['sasl'] | undefined {
  const username = text('KAFKA_SASL_USERNAME');
  const password = text('KAFKA_SASL_PASSWORD');
  const named = text('KAFKA_SASL_MECHANISM');
  if (username === undefined && password === undefined && named === undefined) return undefined;
  const mechanism = MECHANISMS.find((known) => known === (named ?? 'plain').toLowerCase());
  if (mechanism === undefined) {
    problems.push(`KAFKA_SASL_MECHANISM: expected ${MECHANISMS.join(', ')}, seen ${JSON.stringify(named)}`);
  }
  if (username === undefined) problems.push('KAFKA_SASL_USERNAME: expected a user name, seen nothing');
  if (password === undefined) problems.push('KAFKA_SASL_PASSWORD: expected a password, seen nothing');
  if (mechanism === undefined || username === undefined || password === undefined) return undefined;
  return { mechanism, username, password };
}

/** A broker's address: host:port, or file:FOLDER for the embedded log. */
export function checkBrokers(brokers: readonly string[], problems: string[]): void {
  const folders = brokers.filter((broker) => broker.startsWith('file:'));
  if (folders.length > 0 && brokers.length > 1) {
    problems.push(`KAFKA_BROKERS: expected one file:FOLDER or a list of host:port, seen both`);
  }
  for (const broker of brokers) {
    if (broker.startsWith('file:') && broker.length > 'file:'.length) continue;
    const port = Number(/^[^\s/]+:(\d{1,5})$/.exec(broker)?.[1]);
    if (!(port >= 1 && port <= 65_535)) {
      problems.push(`KAFKA_BROKERS: expected host:port, seen ${JSON.stringify(broker)}`);
    }
  }
}
