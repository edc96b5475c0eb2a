import { RetryableError } from '../../../errors/errors.ts';
import type { Message, Sink } from '../../../pipeline/ports.ts';
import { Brokers } from '../brokers.ts';
import type { KafkaSettings, LogLine } from '../settings.ts';
import { allOf, type Fence, Producer, type ProducerOptions } from './producer.ts';

export interface SinkOptions {
  /** A message that is not acknowledged for about this long is given up. */
  readonly giveUpMs?: number;
  /** The topics that only one process at a time may publish to. */
  readonly fenced?: Fence;
}

const GIVE_UP_MS = 30_000;

/** Publishes to topics, with one producer for the fenced topics and one for each other topic. */
export class KafkaSink implements Sink {
  readonly #options: Omit<ProducerOptions, 'brokers'>;
  readonly #fenced: Producer | undefined;
  readonly #stopping = new AbortController();
  readonly #producers = new Map<string, Producer>();

  constructor(settings: KafkaSettings, { giveUpMs = GIVE_UP_MS, fenced }: SinkOptions, log: LogLine) {
    this.#options = { settings, log, giveUpMs, stopping: this.#stopping.signal };
    if (fenced !== undefined) {
      this.#fenced = this.#producer(fenced.topics, fenced);
      for (const topic of fenced.topics) this.#producers.set(topic, this.#fenced);
    }
  }

  async publish(messages: readonly Message[]): Promise<void> {
    if (this.#stopping.signal.aborted) {
      throw new RetryableError('stopped', `the sink is stopped; ${messages.length} messages were not sent`);
    }
    // Messages to the fenced topics stay together: they are one transaction.
    const byProducer = Map.groupBy(messages, this.#to);
    await allOf([...byProducer].map(([producer, list]) => producer.send(list)));
  }

  async takeOver(): Promise<void> {
    await this.#fenced?.takeOver();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await Promise.all([...new Set(this.#producers.values())].map((producer) => producer.close()));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  readonly #to = ({ topic }: Message): Producer => {
    const producer = this.#producers.get(topic) ?? this.#producer([topic]);
    this.#producers.set(topic, producer);
    return producer;
  };

  #producer(topics: readonly string[], fence?: Fence): Producer {
    const options = { ...this.#options, brokers: new Brokers(this.#options.settings) };
    return new Producer(topics, options, fence);
  }
}
