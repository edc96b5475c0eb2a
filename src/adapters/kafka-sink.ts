import type { Kafka } from 'kafkajs';
import { RetryableError } from '../errors.ts';
import type { Message, Sink } from '../pipeline/ports.ts';
import { KafkaAdmin } from './kafka-admin.ts';
import { createKafka, type KafkaSettings, type LogLine } from './kafka-client.ts';
import { TopicProducer } from './kafka-producer.ts';

export interface SinkOptions {
  /** A message not acknowledged for about this long is given up. */
  readonly giveUpMs?: number;
}

/** Publishes to any number of topics, each through a producer of its own. */
export class KafkaSink implements Sink {
  readonly #settings: KafkaSettings;
  readonly #giveUpMs: number;
  readonly #log: LogLine;
  readonly #kafka: Kafka;
  readonly #admin: KafkaAdmin;
  readonly #stopping = new AbortController();
  readonly #producers = new Map<string, TopicProducer>();

  constructor(settings: KafkaSettings, options: SinkOptions, log: LogLine) {
    this.#settings = settings;
    this.#giveUpMs = options.giveUpMs ?? 30_000;
    this.#log = log;
    // Through an outage with one identity, by which the broker knows what it already has. Finding the brokers again
    // is tried for as long: kafkajs gives a send up, with its identity, once that fails.
    const retries = Math.ceil(this.#giveUpMs / 1000);
    const retry = { retries, initialRetryTime: 100, maxRetryTime: 1000, factor: 0.2, multiplier: 2 };
    this.#kafka = createKafka(settings, log, retry);
    this.#admin = new KafkaAdmin(settings, log);
  }

  async publish(messages: readonly Message[]): Promise<void> {
    if (this.#stopping.signal.aborted) {
      throw new RetryableError('stopped', `the sink is stopped; ${messages.length} messages were not sent`);
    }
    const byTopic = Map.groupBy(messages, ({ topic }) => topic);
    const results = await Promise.allSettled([...byTopic].map(([topic, list]) => this.#to(topic).send(list)));
    const failed = results.find((result) => result.status === 'rejected');
    if (failed !== undefined) {
      throw failed.reason;
    }
  }

  async takeOver(): Promise<void> {}

  async stop(): Promise<void> {
    this.#stopping.abort();
    await Promise.all([...this.#producers.values()].map((producer) => producer.close()));
    await this.#admin.close();
  }

  #to(topic: string): TopicProducer {
    const known = this.#producers.get(topic);
    if (known !== undefined) {
      return known;
    }
    const producer = new TopicProducer(topic, {
      kafka: this.#kafka,
      admin: this.#admin,
      log: this.#log,
      address: this.#settings.brokers.join(','),
      giveUpMs: this.#giveUpMs,
      stopping: this.#stopping.signal,
    });
    this.#producers.set(topic, producer);
    return producer;
  }
}
