import { RetryableError } from '../../../errors/errors.ts';
import { protocolError, reasonsOf } from '../failure.ts';

/** What was sent, and as whom. */
export interface Sent {
  readonly topic: string;
  /** Bytes of the largest message. */
  readonly largestBytes: number;
  readonly user: string | undefined;
  readonly transactionalId?: string;
}

/** What to do about what brokers say. Waiting for it: the brokers themselves may mend it shortly. */
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

const REMEDIES: Readonly<Record<string, Remedy>> = {
  MESSAGE_TOO_LARGE: TOO_LARGE,
  RECORD_LIST_TOO_LARGE: TOO_LARGE,
  NOT_ENOUGH_REPLICAS: TOO_FEW_REPLICAS,
  NOT_ENOUGH_REPLICAS_AFTER_APPEND: TOO_FEW_REPLICAS,
  // The one before is committed, but not yet marked so on every partition.
  CONCURRENT_TRANSACTIONS: {
    what: (sent) => `the transaction before can't end: ${TOO_FEW_REPLICAS.what(sent)}`,
    waits: true,
  },
  TOPIC_AUTHORIZATION_FAILED: {
    what: ({ topic, user }) => `grant WRITE on topic ${topic} to ${user ?? 'the user of this client'}`,
  },
  TRANSACTIONAL_ID_AUTHORIZATION_FAILED: {
    what: ({ transactionalId, user }) =>
      `grant WRITE on transactional id ${transactionalId} to ${user ?? 'the user of this client'}`,
  },
  CLUSTER_AUTHORIZATION_FAILED: {
    what: ({ user }) => `grant IDEMPOTENT_WRITE on the cluster to ${user ?? 'the user of this client'}`,
  },
};

export interface Refusal {
  /** Code `refused`, with what to do. */
  readonly error: RetryableError;
  /** It may pass without anyone's doing: to be tried again for as long as anything else. */
  readonly waits: boolean;
}

/** What the brokers refused, who answer but don't take what was sent; undefined where they were out of reach, say. */
export function refusalOf(error: unknown, sent: Sent): Refusal | undefined {
  const remedy = REMEDIES[protocolError(error) ?? ''];
  if (remedy === undefined) return undefined;
  const message = `the brokers refused what was sent to ${sent.topic}: ${reasonsOf(error)}; ${remedy.what(sent)}`;
  return {
    error: new RetryableError('refused', message, { cause: error }),
    waits: remedy.waits ?? false,
  };
}
