import { DEFAULT_PREFIX, type TopicDeclaration, topicName } from './declaration.ts';

/** The parts of a record that its dead letter keeps. */
export interface RejectedRecord {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers?: Readonly<Record<string, string | Buffer>>;
}

/** Why it was rejected; a BadEvent fits. */
export interface Rejection {
  readonly code: string;
  readonly message: string;
  /** The graph whose updater rejected it. */
  readonly graph?: string;
}

/** A record for the dead-letter topic. */
export interface DeadLetter {
  readonly topic: string;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: Readonly<Record<string, string | Buffer>>;
}

export const DEAD_LETTER = 'dead-letter';

/** Room for the largest record a broker takes by default (1 MiB) and our headers. */
const MAX_MESSAGE_BYTES = 2 * 1024 * 1024;
const RETENTION_MS = 30 * 24 * 3_600_000;

/** The record as it came, its bytes, key and headers untouched, with headers that say where it was and why it isn't used. */
export function deadLetter(
  record: RejectedRecord,
  rejection: Rejection,
  prefix: string = DEFAULT_PREFIX,
): DeadLetter {
  return {
    topic: topicName(prefix, DEAD_LETTER),
    key: record.key,
    value: record.value,
    headers: {
      ...record.headers,
      'source-topic': record.topic,
      'source-partition': String(record.partition),
      'source-offset': String(record.offset),
      code: rejection.code,
      reason: rejection.message,
      ...(rejection.graph === undefined ? {} : { graph: rejection.graph }),
    },
  };
}

/** How dead letters are kept: a month, in one partition, so that they read in the order they came. */
export function deadLetterDeclaration(prefix: string = DEFAULT_PREFIX): TopicDeclaration {
  return {
    name: topicName(prefix, DEAD_LETTER),
    partitions: 1,
    configs: {
      'cleanup.policy': 'delete',
      'retention.ms': String(RETENTION_MS),
      'max.message.bytes': String(MAX_MESSAGE_BYTES),
    },
  };
}
