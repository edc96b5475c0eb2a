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

/** Why the record was rejected, as in a BadEvent. */
export interface Rejection {
  readonly code: string;
  readonly message: string;
  /** The graph whose updater rejected it. */
  readonly graph?: string;
}

/** A record of the dead-letter topic. */
export interface DeadLetter {
  readonly topic: string;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: Readonly<Record<string, string | Buffer>>;
}

export const DEAD_LETTER = 'dead-letter';

/** Room for the largest record that a broker takes by default (1 MiB), and the added headers. */
const MAX_MESSAGE_BYTES = 2 * 1024 * 1024;
const RETENTION_MS = 30 * 24 * 3_600_000;

/** The record with its key, value and headers unchanged, and added headers for its place and the reason of rejection. */
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

/** The dead-letter topic: kept for 30 days, in one partition, so that letters are in the order of arrival. */
export function deadLetterDeclaration(prefix: string = DEFAULT_PREFIX): TopicDeclaration {
  return {
    name: topicName(prefix, DEAD_LETTER),
    role: 'written',
    partitions: 1,
    configs: {
      'cleanup.policy': 'delete',
      'retention.ms': String(RETENTION_MS),
      'max.message.bytes': String(MAX_MESSAGE_BYTES),
    },
  };
}
