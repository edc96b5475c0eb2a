import { setTimeout as sleep } from 'node:timers/promises';
import { FatalError, RetryableError, TwhinError } from '../../../errors/errors.ts';
import type { Message } from '../../../pipeline/ports.ts';
import { type Failure, pause, retrying } from '../../backoff.ts';
import type { Brokers } from '../brokers.ts';
import { kafkaError, protocolError, reasonsOf } from '../failure.ts';
import { addressOf, type KafkaSettings, type LogLine, userOf } from '../settings.ts';
import { ProducerSession } from './producer-session.ts';
import { largestBytes } from './record-batch.ts';
import { type Ready, TopicPartitions } from './topic-partitions.ts';

export interface ProducerOptions {
  readonly settings: KafkaSettings;
  readonly brokers: Brokers;
  readonly log: LogLine;
  /** A message that is not acknowledged for about this long is given up; one in a transaction is sent once. */
  readonly giveUpMs: number;
  readonly stopping: AbortSignal;
}

/** Keeps topics to one publisher. */
export interface Fence {
  readonly topics: readonly string[];
  /** Transactional id, shared by all processes that may publish to the topics. */
  readonly id: string;
  /**
   * Resolves once it is confirmed, by an answer newer than the call, that this process may publish, however long that
   * takes. Must have ended before the sink is stopped.
   * @throws FatalError when another process may, RetryableError `stopped`.
   */
  readonly confirm: () => Promise<void>;
}

/** What is sent to one partition in a request. */
type Part = Ready & { readonly topic: TopicPartitions };

/** Transaction timeout: bounds how long a transaction that a frozen writer left open keeps readers waiting. */
const TRANSACTION_MS = 30_000;
/** How long the previous transaction may take to write its markers to all partitions, and how often that is checked. */
const [ENDING_MS, ENDING_LOOK_MS] = [10_000, 5];
/** How long a send in progress may take once nothing more is sent: a request waits longer for an answer. */
const LAST_MS = 5_000;
/** Stands for all partitions where transactions or look-ups wait for one another. */
const ALL = '';

/** Refusals that end a session: the brokers do not know the session, or have other numbers for it. */
const LOST = new Set([
  'OUT_OF_ORDER_SEQUENCE_NUMBER',
  'UNKNOWN_PRODUCER_ID',
  'INVALID_PRODUCER_EPOCH',
  'INVALID_PRODUCER_ID_MAPPING',
  'PRODUCER_FENCED',
]);

/**
 * Sends to topics, in order within a partition.
 *
 * Without a fence, a request is repeated with the same sequence numbers until it is acknowledged or given up, so that within a
 * session the brokers take each record once.
 *
 * With a fence, it is the topics' only publisher, and each send is one attempt in a transaction of its own, one after the other.
 * Opening a session raises the epoch of the transactional id, so that the brokers refuse every earlier session, even in
 * the middle of a transaction. Only then does the fence confirm that this process may publish. A process that takes over
 * later raises the epoch again, so at no moment can two processes send. A publisher whose session was refused opens
 * another, as after any error; where another process has taken over, the fence's error ends it.
 */
export class Producer {
  readonly #options: ProducerOptions;
  readonly #fence: Fence | undefined;
  readonly #topics: readonly TopicPartitions[];
  /** The last send to each partition; the last transaction or look-up of partitions. */
  readonly #tails = new Map<string, Promise<unknown>>();
  #session: Promise<ProducerSession> | undefined;

  constructor(topics: readonly string[], options: ProducerOptions, fence?: Fence) {
    this.#options = options;
    this.#fence = fence;
    const address = addressOf(options.settings);
    this.#topics = topics.map((topic) => new TopicPartitions(topic, address, options.brokers));
  }

  /**
   * Resolves once no other process can publish, however long the brokers are out of reach.
   * @throws the fence's error; RetryableError `refused` where the brokers deny the session, `stopped`.
   */
  takeOver(): Promise<void> {
    const { stopping, log } = this.#options;
    const stopped = () =>
      new RetryableError('stopped', `the sink was stopped before ${this.#names} could be taken over`);
    const attempt = async () => {
      if (stopping.aborted) throw stopped();
      await this.#transaction([]);
    };
    const mayPass = ({ error }: Failure) => !isFinal(error) && !isLasting(error);
    const onTrouble = ({ error }: Failure) =>
      log('warn', `${this.#names} could not be taken over yet: ${reasonsOf(error)}; trying again`);
    return this.#after(ALL, () =>
      retrying(attempt, { signal: stopping, mayPass, onTrouble }).catch((error) => {
        throw isFinal(error) ? error : isLasting(error) ? this.#refusal(error) : stopped();
      }),
    );
  }

  /**
   * Resolves once all messages are acknowledged, and committed where there is a fence.
   * @throws RetryableError, with code `refused` or `message-too-large` where the brokers refuse a message; the fence's error. The messages may be sent again.
   */
  async send(messages: readonly Message[]): Promise<void> {
    const failed = (error: unknown) => this.#fail(error, messages);
    if (this.#fence !== undefined) return this.#after(ALL, () => this.#transaction(messages).catch(failed));
    const until = Date.now() + this.#options.giveUpMs;
    // Look-ups take turns as well: while the look-up of an earlier send is retried, a later send must not overtake it.
    const sends = await this.#after(ALL, async () => {
      const parts = await this.#lookedUp(messages, until);
      return [...Map.groupBy(parts, placeOf)].map(([place, of]) =>
        this.#after(place, async () => {
          for (const part of of) await this.#untilGivenUp(part);
        }),
      );
    });
    await allOf(sends).catch(failed);
  }

  /** Waits for the sends in progress, unless the brokers don't answer, and closes the connections. */
  async close(): Promise<void> {
    // A look-up in progress adds sends.
    const sent = Promise.allSettled([this.#tails.get(ALL)]).then(() =>
      Promise.allSettled(this.#tails.values()),
    );
    await Promise.race([sent, sleep(LAST_MS, undefined, { ref: false })]);
    await this.#options.brokers.close();
  }

  /** Works after all earlier work of that name. */
  #after<T>(name: string, work: () => Promise<T>): Promise<T> {
    const before = this.#tails.get(name) ?? Promise.resolve();
    const done = before.catch(() => undefined).then(work);
    this.#tails.set(name, done);
    return done;
  }

  /** Sends in a transaction; opens the session alone where there is nothing to send. @throws the failure, after which the session is closed. */
  async #transaction(messages: readonly Message[]): Promise<void> {
    const { brokers, log } = this.#options;
    let begun: ProducerSession | undefined;
    try {
      for (const topic of this.#topics) await topic.get();
      this.#session ??= this.#open();
      const session = await this.#session;
      if (messages.length === 0) return;
      begun = session;
      await this.#produceAll(session, messages);
      await this.#once(() => session.end(true));
    } catch (error) {
      log(
        'debug',
        `the session of the producer of ${this.#names} ended and is opened again: ${reasonsOf(error)}`,
      );
      // The next session would end the transaction too; an abort now spares readers of committed records that wait.
      await begun?.end(false).catch(() => undefined);
      this.#session = undefined;
      for (const topic of this.#topics) topic.forget();
      brokers.forgetCoordinators();
      throw error;
    }
  }

  /** Sends each batch once it is whole, while the next are encoded. Resolves once all have ended. @throws the first failure. */
  async #produceAll(session: ProducerSession, messages: readonly Message[]): Promise<void> {
    let adding = Promise.resolve();
    const last = new Map<string, Promise<void>>();
    const all: Promise<void>[] = [];
    try {
      for await (const part of this.#parts(messages)) {
        const begun = part.begun.map((partition) => ({ topic: part.topic.name, partition }));
        if (begun.length > 0) adding = adding.then(() => this.#once(() => session.addPartitions(begun)));
        const sent = Promise.all([adding, last.get(placeOf(part))]).then(() => this.#produce(session, part));
        // Met below, once all are on their way.
        sent.catch(() => undefined);
        last.set(placeOf(part), sent);
        all.push(sent);
      }
    } finally {
      await allOf(all);
    }
  }

  /** As `#parts`, retried until the time when the messages are given up. */
  #lookedUp(messages: readonly Message[], until: number): Promise<Part[]> {
    const { settings, stopping, log } = this.#options;
    const failureOf = (error: unknown) =>
      (isLasting(error) ? this.#refusal(error) : undefined) ??
      kafkaError(`asking for the partitions of ${this.#names}`, settings, error);
    const mayPass = ({ error }: Failure) => {
      const failure = failureOf(error);
      return failure instanceof RetryableError && !['refused', 'topic-missing'].includes(failure.code);
    };
    const onTrouble = ({ error }: Failure) =>
      log('debug', `the partitions of ${this.#names} are asked for again: ${reasonsOf(error)}`);
    const retried = { signal: stopping, until, mayPass, onTrouble };
    return retrying(() => Array.fromAsync(this.#parts(messages)), retried).catch((error) => {
      throw failureOf(error);
    });
  }

  /** Repeats a request until it is acknowledged. @throws why it was given up. */
  async #untilGivenUp(part: Part): Promise<void> {
    const { giveUpMs, stopping } = this.#options;
    try {
      await retrying(() => this.#attempt(part), {
        signal: stopping,
        until: Date.now() + giveUpMs,
        mayPass: ({ error }) => !isLasting(error),
      });
    } catch (error) {
      // The brokers may have these records, and would take other records under the same numbers for them.
      this.#session = undefined;
      throw error;
    }
  }

  async #attempt(part: Part): Promise<void> {
    this.#session ??= this.#open();
    const current = this.#session;
    try {
      await this.#produce(await current, part);
    } catch (error) {
      this.#options.log('debug', `${placeOf(part)} is sent again: ${reasonsOf(error)}`);
      part.topic.forget();
      const isOpen = await current.then(
        () => true,
        () => false,
      );
      const isLost = !isOpen || LOST.has(protocolError(error) ?? '');
      if (isLost && this.#session === current) this.#session = undefined;
      throw error;
    }
  }

  async #produce(session: ProducerSession, { topic, partition, batch }: Part): Promise<void> {
    await session.send(await topic.leaderOf(partition), topic.name, partition, batch);
    topic.acknowledged(batch);
  }

  /** What is sent. Looks up every topic, also without messages. */
  async *#parts(messages: readonly Message[]): AsyncIterable<Part> {
    for (const topic of this.#topics)
      for await (const ready of topic.batchesOf(messages)) yield { topic, ...ready };
  }

  /** Repeats the step while the previous transaction is ending. */
  async #once<T>(step: () => Promise<T>): Promise<T> {
    const deadline = Date.now() + ENDING_MS;
    for (;;) {
      try {
        return await step();
      } catch (error) {
        if (protocolError(error) !== 'CONCURRENT_TRANSACTIONS' || Date.now() > deadline) throw error;
        await pause(ENDING_LOOK_MS, this.#options.stopping);
      }
    }
  }

  async #open(): Promise<ProducerSession> {
    const { brokers, settings } = this.#options;
    if (this.#fence === undefined) return ProducerSession.open(brokers, null);
    const { id, confirm } = this.#fence;
    const session = await this.#once(() => ProducerSession.open(brokers, id, TRANSACTION_MS)).catch(
      (cause: unknown) => {
        if (protocolError(cause) !== 'COORDINATOR_NOT_AVAILABLE') throw cause;
        const user = userOf(settings) ?? 'the user of this client';
        const message = `no broker at ${addressOf(settings)} coordinates transactional id ${id}: they are out of reach, or WRITE on it is not granted to ${user}`;
        throw new RetryableError('no-coordinator', message, { cause });
      },
    );
    await confirm();
    return session;
  }

  get #names(): string {
    return this.#topics.map(({ name }) => name).join(' and ');
  }

  #refusal(failure: unknown, messages: readonly Message[] = []): RetryableError | undefined {
    return refusalOf(failure, {
      topic: this.#names,
      user: userOf(this.#options.settings),
      ...(this.#fence && { transactionalId: this.#fence.id }),
      get largestBytes() {
        return largestBytes(messages);
      },
    });
  }

  /** @throws the error of messages that were given up, and may be sent again. */
  #fail(failure: unknown, messages: readonly Message[]): never {
    if (this.#fence !== undefined && isFinal(failure)) throw failure;
    const { settings } = this.#options;
    const error =
      this.#refusal(failure, messages) ?? kafkaError(`sending to ${this.#names}`, settings, failure);
    if (!(error instanceof RetryableError) || ['refused', 'message-too-large'].includes(error.code))
      throw error;
    const message = `${messages.length} messages for ${this.#names} were not acknowledged by ${addressOf(settings)}: ${reasonsOf(failure)}; they can be sent again`;
    throw new RetryableError('not-acknowledged', message, { cause: failure });
  }
}

function placeOf({ topic, partition }: Pick<Part, 'topic' | 'partition'>): string {
  return `${topic.name}/${partition}`;
}

/** Whether the fence or a stop ended the publishing, or no other attempt would help. */
function isFinal(error: unknown): boolean {
  return error instanceof FatalError || (error instanceof TwhinError && error.code === 'stopped');
}

/** Resolves once all have ended. @throws the first failure. */
export async function allOf(work: Iterable<Promise<void>>): Promise<void> {
  const failed = (await Promise.allSettled(work)).find((result) => result.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
}

/** The messages of a send, and its user. */
export interface Sent {
  readonly topic: string;
  readonly largestBytes: number;
  readonly user: string | undefined;
  readonly transactionalId?: string;
}

/** What to do about a refusal. */
type Remedy = (sent: Sent) => string;

const raiseLimit: Remedy = ({ topic, largestBytes }) =>
  `its largest message has ${largestBytes} bytes: raise max.message.bytes of topic ${topic}`;
const bringReplicas: Remedy = ({ topic }) =>
  `bring the brokers that hold replicas of topic ${topic} back, or lower its min.insync.replicas`;
const grantOnTopic: Remedy = ({ topic, user }) =>
  `grant WRITE on topic ${topic} to ${user ?? 'the user of this client'}`;

/** The refusals that may pass by themselves, so that the send is retried as after any other failure. */
const PASSING: Readonly<Record<string, Remedy>> = {
  NOT_ENOUGH_REPLICAS: bringReplicas,
  NOT_ENOUGH_REPLICAS_AFTER_APPEND: bringReplicas,
  // The previous transaction is committed, but its markers are not yet on every partition.
  CONCURRENT_TRANSACTIONS: (sent) => `the previous transaction can't end: ${bringReplicas(sent)}`,
};
const LASTING: Readonly<Record<string, Remedy>> = {
  MESSAGE_TOO_LARGE: raiseLimit,
  RECORD_LIST_TOO_LARGE: raiseLimit,
  TOPIC_AUTHORIZATION_FAILED: grantOnTopic,
  TRANSACTIONAL_ID_AUTHORIZATION_FAILED: ({ transactionalId, user }) =>
    `grant WRITE on transactional id ${transactionalId} to ${user ?? 'the user of this client'}`,
  // A producer gets its id where it may write to any topic (KIP-679).
  CLUSTER_AUTHORIZATION_FAILED: grantOnTopic,
};

/** Whether an error of a send is a refusal that no retry mends. */
export function isLasting(error: unknown): boolean {
  return LASTING[protocolError(error) ?? ''] !== undefined;
}

/**
 * The refusal in an error of a send, with what to do; undefined where the brokers refused nothing, for example because they
 * were out of reach.
 */
export function refusalOf(error: unknown, sent: Sent): RetryableError | undefined {
  const refused = protocolError(error) ?? '';
  const remedy = PASSING[refused] ?? LASTING[refused];
  if (remedy === undefined) return undefined;
  const message = `the brokers refused what was sent to ${sent.topic}: ${reasonsOf(error)}; ${remedy(sent)}`;
  if (remedy === raiseLimit) return new RetryableError('message-too-large', message, { cause: error });
  return new RetryableError('refused', message, { cause: error });
}
