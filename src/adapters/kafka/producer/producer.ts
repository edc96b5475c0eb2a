import type { Kafka, Message as KafkaMessage, Producer } from 'kafkajs';
import { RetryableError, reasonOf } from '../../../errors/errors.ts';
import type { Message } from '../../../pipeline/ports.ts';
import { backoffMs, pause } from '../../backoff.ts';
import type { KafkaAdmin } from '../admin.ts';
import type { LogLine } from '../client.ts';
import { keyPartitioner } from './partitioner.ts';
import { METADATA_MS, TopicPartitions } from './partitions.ts';
import { refusalOf } from './refusal.ts';
import { largestBytes, requestsOf } from './requests.ts';

export interface ProducerOptions {
  readonly kafka: Kafka;
  readonly admin: KafkaAdmin;
  readonly log: LogLine;
  readonly address: string;
  /** Who is logged in, where somebody is. */
  readonly user: string | undefined;
  /** A message not acknowledged for about this long is given up. */
  readonly giveUpMs: number;
  readonly stopping: AbortSignal;
}

/**
 * Sends to one topic, in order within a partition, each record once as long as its connection's identity lives.
 * One topic, because a producer fails for everything it ever wrote to once one of those topics is deleted.
 */
export class TopicProducer {
  readonly #topic: string;
  readonly #options: ProducerOptions;
  readonly #choose = keyPartitioner();
  readonly #tails = new Map<number, Promise<void>>();
  readonly #partitions: TopicPartitions;
  #producer: Promise<Producer> | undefined;

  constructor(topic: string, options: ProducerOptions) {
    this.#topic = topic;
    this.#options = options;
    this.#partitions = new TopicPartitions(topic, options.admin, () => this.close());
  }

  /** Resolves once all are acknowledged. @throws RetryableError, `refused` where the brokers don't take one. */
  async send(messages: readonly Message[]): Promise<void> {
    const requests = requestsOf(this.#topic, messages, await this.#partitions.get(), this.#choose);
    const byPartition = Map.groupBy(requests, ({ partition }) => partition);
    const results = await Promise.allSettled(
      [...byPartition].map(([partition, list]) =>
        this.#enqueue(
          partition,
          list.map((request) => request.messages),
        ),
      ),
    );
    const failed = results.find((result) => result.status === 'rejected');
    if (failed !== undefined) {
      throw failed.reason;
    }
  }

  async close(): Promise<void> {
    await Promise.allSettled(this.#tails.values());
    const last = this.#producer;
    this.#producer = undefined;
    await disconnect(last);
  }

  /** Behind what this partition has in flight, so that a key's messages stay in order. */
  #enqueue(partition: number, requests: KafkaMessage[][]): Promise<void> {
    const before = this.#tails.get(partition) ?? Promise.resolve();
    const sent = before.catch(() => undefined).then(() => this.#sendPartition(requests));
    this.#tails.set(partition, sent);
    return sent;
  }

  async #sendPartition(requests: KafkaMessage[][]): Promise<void> {
    for (const messages of requests) {
      const deadline = Date.now() + this.#options.giveUpMs;
      for (let attempt = 1; ; attempt++) {
        const failure = await this.#attempt(messages);
        if (failure === undefined) {
          break;
        }
        const { topic, user } = { topic: this.#topic, user: this.#options.user };
        const refusal = refusalOf(failure, { topic, user, largestBytes: largestBytes(messages) });
        if (refusal !== undefined && !refusal.waits) throw refusal.error;
        if (Date.now() >= deadline || this.#options.stopping.aborted) {
          throw refusal?.error ?? notAcknowledged(messages.length, topic, this.#options, failure);
        }
        await pause(backoffMs(attempt), this.#options.stopping);
      }
    }
  }

  /** undefined when acknowledged, else why not; the producer is then gone. */
  async #attempt(messages: KafkaMessage[]): Promise<Error | undefined> {
    this.#producer ??= this.#connect();
    const current = this.#producer;
    try {
      await (await current).send({ topic: this.#topic, messages, acks: -1, timeout: 10_000 });
      return undefined;
    } catch (error) {
      this.#options.log('debug', `producer of ${this.#topic} is made anew: ${reasonOf(error)}`);
      if (this.#producer === current) {
        this.#producer = undefined;
        this.#partitions.forget();
      }
      return error instanceof Error ? error : new Error(reasonOf(error));
    } finally {
      if (this.#producer !== current) {
        // Here too, for a send that connected it again after another partition's failure had closed it.
        await disconnect(current);
      }
    }
  }

  async #connect(): Promise<Producer> {
    const producer = this.#options.kafka.producer({
      idempotent: true,
      maxInFlightRequests: 1,
      allowAutoTopicCreation: false,
      metadataMaxAge: METADATA_MS,
      createPartitioner: keyPartitioner,
    });
    await producer.connect();
    return producer;
  }
}

/** The error of messages given up for the time being. */
export function notAcknowledged(
  count: number,
  topic: string,
  { address, giveUpMs }: Pick<ProducerOptions, 'address' | 'giveUpMs'>,
  cause: unknown,
): RetryableError {
  const seconds = Math.round(giveUpMs / 1000);
  const message = `${count} messages for ${topic} were not acknowledged by ${address} within about ${seconds} s: ${reasonOf(cause)}; they can be sent again`;
  return new RetryableError('not-acknowledged', message, { cause });
}

async function disconnect(which: Promise<Producer> | undefined): Promise<void> {
  // One that never connected said so to the attempt that made it.
  const producer = await which?.catch(() => undefined);
  await producer?.disconnect();
}
