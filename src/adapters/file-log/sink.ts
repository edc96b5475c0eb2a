import { RetryableError, reasonOf } from '../../errors/errors.ts';
import type { Message, Sink } from '../../pipeline/ports.ts';
import { keyPartitioner } from '../kafka/producer/partitioner.ts';
import { LogPartition, type LogRecord, readTopic } from './partition.ts';

interface OpenTopic {
  readonly partitions: readonly LogPartition[];
  readonly choose: (message: Message) => number;
}

/** Appends to a file log; a key goes to the partition that Kafka would put it in. */
export class FileLogSink implements Sink {
  readonly #dir: string;
  readonly #topics = new Map<string, OpenTopic>();
  /** Publishes run one after the other, which keeps the order within a key. */
  #tail: Promise<void> = Promise.resolve();

  constructor(dir: string) {
    this.#dir = dir;
  }

  publish(messages: readonly Message[]): Promise<void> {
    const done = this.#tail.then(() => this.#append(messages));
    this.#tail = done.catch(() => undefined);
    return done;
  }

  async takeOver(): Promise<void> {}

  async stop(): Promise<void> {
    await this.#tail;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  async #append(messages: readonly Message[]): Promise<void> {
    const timestamp = Date.now();
    const byLog = new Map<LogPartition, LogRecord[]>();
    for (const message of messages) {
      const topic = this.#topics.get(message.topic) ?? (await this.#open(message.topic));
      const log = topic.partitions[topic.choose(message)]!;
      const list = byLog.get(log) ?? [];
      byLog.set(log, list);
      list.push(recordOf(message, timestamp));
    }
    try {
      await Promise.all([...byLog].map(([log, records]) => log.append(records)));
    } catch (error) {
      const reason = `${messages.length} messages could not be appended under ${this.#dir}: ${reasonOf(error)}`;
      throw new RetryableError('not-appended', reason, { cause: error });
    }
  }

  async #open(name: string): Promise<OpenTopic> {
    const state = await readTopic(this.#dir, name);
    if (state === undefined) {
      const message = `no topic ${name} at file:${this.#dir}; create it with: twhin topics apply`;
      throw new RetryableError('topic-missing', message);
    }
    const choose = keyPartitioner();
    const topic: OpenTopic = {
      partitions: Array.from({ length: state.partitions }, (_, n) => new LogPartition(this.#dir, name, n)),
      choose: ({ key }) => choose(key, state.partitions),
    };
    this.#topics.set(name, topic);
    return topic;
  }
}

function recordOf({ key, value, headers }: Message, timestamp: number): LogRecord {
  return {
    timestamp,
    key: typeof key === 'string' ? Buffer.from(key) : key,
    value: value === null ? null : Buffer.from(value),
    headers: Object.fromEntries(Object.entries(headers).map(([name, text]) => [name, Buffer.from(text)])),
  };
}
