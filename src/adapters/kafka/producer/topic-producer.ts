import { RetryableError } from '../../../errors/errors.ts';
import type { Message } from '../../../pipeline/ports.ts';
import { backoffMs, pause } from '../../backoff.ts';
import type { Brokers } from '../brokers.ts';
import { kafkaError, protocolError, reasonsOf } from '../failure.ts';
import { addressOf, type KafkaSettings, type LogLine, userOf } from '../settings.ts';
import { keyPartitioner } from './partitioner.ts';
import { largestBytes, type ProduceRequest, requestsOf } from './produce-requests.ts';
import { ProducerSession } from './producer-session.ts';
import { refusalOf } from './refusal.ts';
import { leaderOf, TopicPartitions } from './topic-partitions.ts';

export interface ProducerOptions {
  readonly settings: KafkaSettings;
  readonly brokers: Brokers;
  readonly log: LogLine;
  /** A message that is not acknowledged for about this long is given up. */
  readonly giveUpMs: number;
  readonly stopping: AbortSignal;
}

/** Refusals that end a session: the brokers do not know the session, or have other numbers for it. */
const LOST = new Set([
  'OUT_OF_ORDER_SEQUENCE_NUMBER',
  'UNKNOWN_PRODUCER_ID',
  'INVALID_PRODUCER_EPOCH',
  'INVALID_PRODUCER_ID_MAPPING',
  'PRODUCER_FENCED',
]);

/**
 * Sends to one topic, in order within a partition. A request is repeated with the same sequence numbers until it is
 * acknowledged or given up, so that within a session the brokers take each record once.
 */
export class TopicProducer {
  readonly #topic: string;
  readonly #options: ProducerOptions;
  readonly #choose = keyPartitioner();
  readonly #tails = new Map<number, Promise<void>>();
  readonly #partitions: TopicPartitions;
  #session: Promise<ProducerSession> | undefined;

  constructor(topic: string, options: ProducerOptions) {
    this.#topic = topic;
    this.#options = options;
    this.#partitions = new TopicPartitions(topic, addressOf(options.settings), options.brokers);
  }

  /** Resolves once all messages are acknowledged. @throws RetryableError, with code `refused` where the brokers refuse a message. */
  async send(messages: readonly Message[]): Promise<void> {
    const requests = requestsOf(messages, await this.#count(), this.#choose);
    const byPartition = Map.groupBy(requests, ({ partition }) => partition);
    const results = await Promise.allSettled(
      [...byPartition].map(([partition, list]) => this.#enqueue(partition, list)),
    );
    const failed = results.find((result) => result.status === 'rejected');
    if (failed !== undefined) {
      throw failed.reason;
    }
  }

  /** Waits for the sends in progress, and closes the connections. */
  async close(): Promise<void> {
    await Promise.allSettled(this.#tails.values());
    await this.#options.brokers.close();
  }

  /** The number of partitions. Asks for as long as a message may wait. */
  async #count(): Promise<number> {
    const { settings, giveUpMs, stopping } = this.#options;
    const deadline = Date.now() + giveUpMs;
    for (let attempt = 1; ; attempt++) {
      try {
        return (await this.#partitions.get()).length;
      } catch (error) {
        const sent = { topic: this.#topic, user: userOf(settings), largestBytes: 0 };
        const refusal = refusalOf(error, sent);
        if (refusal !== undefined && !refusal.waits) throw refusal.error;
        const failure = kafkaError(`asking for the partitions of ${this.#topic}`, settings, error);
        const mayPass = failure instanceof RetryableError && failure.code !== 'topic-missing';
        if (!mayPass || Date.now() >= deadline || stopping.aborted) throw failure;
        await pause(backoffMs(attempt), stopping);
      }
    }
  }

  /** Sends after all earlier requests of the partition, so that the messages of a key stay in order. */
  #enqueue(partition: number, requests: ProduceRequest[]): Promise<void> {
    const before = this.#tails.get(partition) ?? Promise.resolve();
    const sent = before.catch(() => undefined).then(() => this.#sendPartition(requests));
    this.#tails.set(partition, sent);
    return sent;
  }

  async #sendPartition(requests: ProduceRequest[]): Promise<void> {
    const { settings, stopping, giveUpMs } = this.#options;
    for (const request of requests) {
      const deadline = Date.now() + giveUpMs;
      for (let attempt = 1; ; attempt++) {
        const failure = await this.#attempt(request);
        if (failure === undefined) break;
        const { messages } = request;
        const sent = { topic: this.#topic, user: userOf(settings), largestBytes: largestBytes(messages) };
        const refusal = refusalOf(failure, sent);
        const ends = refusal === undefined ? false : !refusal.waits;
        if (ends || Date.now() >= deadline || stopping.aborted) {
          // The brokers may have these records, and would take other records under the same numbers for them.
          this.#session = undefined;
          throw refusal?.error ?? notAcknowledged(messages.length, this.#topic, settings, failure);
        }
        await pause(backoffMs(attempt), stopping);
      }
    }
  }

  /** Gives undefined once the request is acknowledged, else the failure. */
  async #attempt({ partition, messages }: ProduceRequest): Promise<unknown> {
    this.#session ??= ProducerSession.open(this.#options.brokers, null);
    const current = this.#session;
    try {
      const session = await current;
      const leader = leaderOf(await this.#partitions.get(), partition);
      await session.send(leader, this.#topic, partition, messages);
      return undefined;
    } catch (error) {
      this.#options.log('debug', `${this.#topic}/${partition} is sent again: ${reasonsOf(error)}`);
      this.#partitions.forget();
      const opened = await current.then(
        () => true,
        () => false,
      );
      const lost = !opened || LOST.has(protocolError(error) ?? '');
      if (lost && this.#session === current) this.#session = undefined;
      return error;
    }
  }
}

/** The error of messages that were given up, and may be sent again. */
export function notAcknowledged(
  count: number,
  topic: string,
  settings: KafkaSettings,
  cause: unknown,
): Error {
  const failure = kafkaError(`sending to ${topic}`, settings, cause);
  if (!(failure instanceof RetryableError)) return failure;
  const message = `${count} messages for ${topic} were not acknowledged by ${addressOf(settings)}: ${reasonsOf(cause)}; they can be sent again`;
  return new RetryableError('not-acknowledged', message, { cause });
}
