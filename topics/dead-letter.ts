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
  /** What is sent where the topic refuses the letter as too large: the added headers alone. */
  readonly least: Omit<DeadLetter, 'least'>;
}

export const DEAD_LETTER = 'dead-letter';

/** Most bytes of the parts of a letter: a topic with Kafka's own limit (1 MiB) takes them together. */
const [VALUE_BYTES, KEY_BYTES, HEADER_BYTES, REASON_BYTES] = [900_000, 16_384, 16_384, 2_048];
const RETENTION_MS = 30 * 24 * 3_600_000;

/** The record with added headers for its place, its lengths and the reason of rejection. What is too long is cut; of headers, all are left out. */
export function deadLetter(
  record: RejectedRecord,
  rejection: Rejection,
  prefix: string = DEFAULT_PREFIX,
): DeadLetter {
  const { key, value, headers = {} } = record;
  const topic = topicName(prefix, DEAD_LETTER);
  const headerBytes = Object.entries(headers)
    .flat()
    .reduce((sum, part) => sum + Buffer.byteLength(part), 0);
  const { read } = new TextEncoder().encodeInto(rejection.message, new Uint8Array(REASON_BYTES));
  const own = {
    'source-topic': record.topic,
    'source-partition': String(record.partition),
    'source-offset': String(record.offset),
    'key-bytes': String(key?.length ?? 'none'),
    'value-bytes': String(value?.length ?? 'none'),
    'header-bytes': String(headerBytes),
    code: rejection.code,
    reason: rejection.message.slice(0, read),
    ...(rejection.graph === undefined ? {} : { graph: rejection.graph }),
  };
  return {
    topic,
    // Copies: a view would keep the record's whole batch in memory.
    key: key && Buffer.from(key.subarray(0, KEY_BYTES)),
    value: value && Buffer.from(value.subarray(0, VALUE_BYTES)),
    headers: { ...(headerBytes <= HEADER_BYTES && headers), ...own },
    least: { topic, key: null, value: null, headers: own },
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
      // More than any letter has.
      'max.message.bytes': String(2 ** 21),
    },
  };
}
