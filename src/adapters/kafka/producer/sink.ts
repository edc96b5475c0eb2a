import type { Kafka } from 'kafkajs';
import { RetryableError } from '../../../errors/errors.ts';
import type { Message, Sink } from '../../../pipeline/ports.ts';
import { KafkaAdmin } from '../admin.ts';
import { createKafka, type KafkaSettings, type LogLine } from '../client.ts';
import { type Fence, FencedProducer } from './fenced-producer.ts';
import { type ProducerOptions, TopicProducer } from './producer.ts';

export interface SinkOptions {
  /** A message not acknowledged for about this long is given up. */
  readonly giveUpMs?: number;
  /** A topic that this process is to be the one publisher of. */
  readonly fenced?: Fence;
}

/** For the fenced topic: kafkajs gives up within seconds, and what a new connection is told decides. */
const FENCED_RETRY = { retries: 5, initialRetryTime: 20, maxRetryTime: 1000, factor: 0.2, multiplier: 2 };

/** Publishes to any number of topics, each through a producer of its own. */
export class KafkaSink implements Sink {
  readonly #settings: KafkaSettings;
  readonly #giveUpMs: number;
  readonly #log: LogLine;
  readonly #kafka: Kafka;
  readonly #fenced: FencedProducer | undefined;
  readonly #admin: KafkaAdmin;
  readonly #stopping = new AbortController();
  readonly #producers = new Map<string, Pick<TopicProducer, 'send' | 'close'>>();

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
    const { fenced } = options;
    if (fenced !== undefined) {
      const impatient = createKafka(settings, log, FENCED_RETRY);
      this.#fenced = new FencedProducer(fenced, { ...this.#producerOptions(), kafka: impatient });
      this.#producers.set(fenced.topic, this.#fenced);
    }
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

  async takeOver(): Promise<void> {
    await this.#fenced?.takeOver();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await Promise.all([...this.#producers.values()].map((producer) => producer.close()));
    await this.#admin.close();
  }

  #to(topic: string): Pick<TopicProducer, 'send' | 'close'> {
    const known = this.#producers.get(topic);
    if (known !== undefined) {
      return known;
    }
    const producer = new TopicProducer(topic, this.#producerOptions());
    this.#producers.set(topic, producer);
    return producer;
  }

  #producerOptions(): ProducerOptions {
    return {
      kafka: this.#kafka,
      admin: this.#admin,
      log: this.#log,
      address: this.#settings.brokers.join(','),
      user: this.#settings.sasl?.username,
      giveUpMs: this.#giveUpMs,
      stopping: this.#stopping.signal,
    };
  }
}
