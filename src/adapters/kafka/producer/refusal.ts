import { RetryableError } from '../../../errors/errors.ts';
import { protocolError, reasonsOf } from '../failure.ts';

/** What was sent, and by which user. */
export interface Sent {
  readonly topic: string;
  /** Bytes of the largest message. */
  readonly largestBytes: number;
  readonly user: string | undefined;
  readonly transactionalId?: string;
}

/** What to do about a refusal. waits: the refusal may pass by itself, so that it is worth trying again. */
interface Remedy {
  readonly what: (sent: Sent) => string;
  readonly waits?: boolean;
}

const TOO_LARGE: Remedy = {
  what: ({ topic, largestBytes }) =>
    `its largest message has ${largestBytes} bytes: raise max.message.bytes of topic ${topic}`,
};
const TOO_FEW_REPLICAS: Remedy = {
  what: ({ topic }) =>
    `bring the brokers that hold replicas of topic ${topic} back, or lower its min.insync.replicas`,
  waits: true,
};

const MAY_NOT_WRITE: Remedy = {
  what: ({ topic, user }) => `grant WRITE on topic ${topic} to ${user ?? 'the user of this client'}`,
};

const REMEDIES: Readonly<Record<string, Remedy>> = {
  MESSAGE_TOO_LARGE: TOO_LARGE,
  RECORD_LIST_TOO_LARGE: TOO_LARGE,
  NOT_ENOUGH_REPLICAS: TOO_FEW_REPLICAS,
  NOT_ENOUGH_REPLICAS_AFTER_APPEND: TOO_FEW_REPLICAS,
  // The previous transaction is committed, but its markers are not yet on every partition.
  CONCURRENT_TRANSACTIONS: {
    what: (sent) => `the previous transaction can't end: ${TOO_FEW_REPLICAS.what(sent)}`,
    waits: true,
  },
  TOPIC_AUTHORIZATION_FAILED: MAY_NOT_WRITE,
  TRANSACTIONAL_ID_AUTHORIZATION_FAILED: {
    what: ({ transactionalId, user }) =>
      `grant WRITE on transactional id ${transactionalId} to ${user ?? 'the user of this client'}`,
  },
  // A producer gets its id where it may write to any topic (KIP-679).
  CLUSTER_AUTHORIZATION_FAILED: MAY_NOT_WRITE,
};

export interface Refusal {
  /** Code `refused`, with what to do. */
  readonly error: RetryableError;
  /** Whether the refusal may pass by itself, so that the send is retried as after any other failure. */
  readonly waits: boolean;
}

/** The refusal in an error of a send; undefined where the brokers refused nothing, for example because they were out of reach. */
export function refusalOf(error: unknown, sent: Sent): Refusal | undefined {
  const remedy = REMEDIES[protocolError(error) ?? ''];
  if (remedy === undefined) return undefined;
  const message = `the brokers refused what was sent to ${sent.topic}: ${reasonsOf(error)}; ${remedy.what(sent)}`;
  return {
    error: new RetryableError('refused', message, { cause: error }),
    waits: remedy.waits ?? false,
  };
}
