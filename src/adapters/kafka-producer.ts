import {
  type Kafka,
  type Message as KafkaMessage,
  Partitioners,
  type PartitionMetadata,
  type Producer,
} from 'kafkajs';
import { FatalError, RetryableError, reasonOf } from '../errors.ts';
import type { Message } from '../pipeline/ports.ts';
import { backoffMs, pause } from './backoff.ts';
import type { KafkaAdmin } from './kafka-admin.ts';
import type { LogLine } from './kafka-client.ts';

/** A request stays below the broker's default limit of 1 MiB a batch. */
const REQUEST_BYTES = 900_000;
/** Lengths, deltas and the like around one record, rounded up. */
const RECORD_OVERHEAD_BYTES = 70;
/** Partition counts are looked up again after this long, as producers in Java do far less often. */
const METADATA_MS = 30_000;

export interface ProducerOptions {
  readonly kafka: Kafka;
  readonly admin: KafkaAdmin;
  readonly log: LogLine;
  readonly address: string;
  /** A message not acknowledged for about this long is given up. */
  readonly giveUpMs: number;
  readonly stopping: AbortSignal;
}

/**
 * Sends to one topic, in order within a partition, each record once as long as its connection's identity lives.
 * One topic, because a producer fails for everything it ever wrote to once one of those topics is deleted. One
 * partition a request, because kafkajs can resolve a request over several leaders without having sent all of it.
 */
export class TopicProducer {
  readonly #topic: string;
  readonly #options: ProducerOptions;
  readonly #choose = Partitioners.DefaultPartitioner();
  readonly #tails = new Map<number, Promise<void>>();
  #lookup: Promise<unknown> = Promise.resolve();
  #partitions: { metadata: PartitionMetadata[]; at: number } | undefined;
  #producer: Promise<Producer> | undefined;

  constructor(topic: string, options: ProducerOptions) {
    this.#topic = topic;
    this.#options = options;
  }

  /** Resolves once all are acknowledged. @throws RetryableError, FatalError when one is too large for the topic. */
  async send(messages: readonly Message[]): Promise<void> {
    const partitionMetadata = await this.#metadataInTurn();
    const byPartition = new Map<number, KafkaMessage[]>();
    for (const message of messages) {
      const record = kafkaMessage(message);
      const partition = this.#choose({ topic: this.#topic, partitionMetadata, message: record });
      const list = byPartition.get(partition) ?? [];
      byPartition.set(partition, list);
      list.push({ ...record, partition });
    }
    const results = await Promise.allSettled(
      [...byPartition].map(([partition, records]) => this.#enqueue(partition, records)),
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
  #enqueue(partition: number, records: KafkaMessage[]): Promise<void> {
    const before = this.#tails.get(partition) ?? Promise.resolve();
    const sent = before.catch(() => undefined).then(() => this.#sendPartition(records));
    this.#tails.set(partition, sent);
    return sent;
  }

  async #sendPartition(records: KafkaMessage[]): Promise<void> {
    for (const messages of requestsOf(records)) {
      const deadline = Date.now() + this.#options.giveUpMs;
      for (let attempt = 1; ; attempt++) {
        const reason = await this.#attempt(messages);
        if (reason === undefined) {
          break;
        }
        if (Date.now() >= deadline || this.#options.stopping.aborted) {
          const seconds = Math.round(this.#options.giveUpMs / 1000);
          const message = `${messages.length} messages for ${this.#topic} were not acknowledged by ${this.#options.address} within about ${seconds} s: ${reason}; they can be sent again`;
          throw new RetryableError('not-acknowledged', message);
        }
        await pause(backoffMs(attempt), this.#options.stopping);
      }
    }
  }

  /** undefined when acknowledged, else why not; the producer is then gone. */
  async #attempt(messages: KafkaMessage[]): Promise<string | undefined> {
    this.#producer ??= this.#connect();
    const current = this.#producer;
    try {
      await (await current).send({ topic: this.#topic, messages, acks: -1, timeout: 10_000 });
      return undefined;
    } catch (error) {
      const reason = reasonOf(error);
      if (/larger than the max|MESSAGE_TOO_LARGE|RECORD_LIST_TOO_LARGE/i.test(reason)) {
        const bytes = Math.max(...messages.map(bytesOf));
        const message = `${this.#topic} refused a request whose largest message has ${bytes} bytes: ${reason}; raise max.message.bytes of the topic`;
        throw new FatalError('message-too-large', message, { cause: error });
      }
      this.#options.log('debug', `producer of ${this.#topic} is made anew: ${reason}`);
      if (this.#producer === current) {
        this.#producer = undefined;
        this.#partitions = undefined;
      }
      return reason;
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
      createPartitioner: Partitioners.DefaultPartitioner,
    });
    await producer.connect();
    return producer;
  }

  /** One after the other: looked up side by side, a later send could have its answer first and overtake. */
  #metadataInTurn(): Promise<PartitionMetadata[]> {
    const looked = this.#lookup.then(() => this.#metadata());
    this.#lookup = looked.catch(() => undefined);
    return looked;
  }

  async #metadata(): Promise<PartitionMetadata[]> {
    const now = Date.now();
    if (this.#partitions !== undefined && now - this.#partitions.at < METADATA_MS) {
      return this.#partitions.metadata;
    }
    const metadata = await this.#options.admin.partitions(this.#topic);
    const before = this.#partitions?.metadata.length ?? metadata.length;
    if (before !== metadata.length) {
      // The connection would not know the new partitions before its own metadata ages.
      await this.close();
    }
    this.#partitions = { metadata, at: now };
    return metadata;
  }
}

async function disconnect(which: Promise<Producer> | undefined): Promise<void> {
  // One that never connected said so to the attempt that made it.
  const producer = await which?.catch(() => undefined);
  await producer?.disconnect();
}

function kafkaMessage({ key, value, headers }: Message): KafkaMessage {
  const bytes =
    value === null || Buffer.isBuffer(value)
      ? value
      : Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  return { key, value: bytes, headers: { ...headers } };
}

function bytesOf({ key, value, headers }: KafkaMessage): number {
  let bytes = RECORD_OVERHEAD_BYTES + lengthOf(key) + lengthOf(value);
  for (const [name, header] of Object.entries(headers ?? {})) {
    bytes += 10 + Buffer.byteLength(name) + (Array.isArray(header) ? 0 : lengthOf(header));
  }
  return bytes;
}

function lengthOf(part: Buffer | string | null | undefined): number {
  return typeof part === 'string' ? Buffer.byteLength(part) : (part?.length ?? 0);
}

/** The records in runs that each fit one request; a record larger than that goes alone. */
function* requestsOf(records: readonly KafkaMessage[]): Generator<KafkaMessage[]> {
  let run: KafkaMessage[] = [];
  let bytes = 0;
  for (const record of records) {
    const size = bytesOf(record);
    if (run.length > 0 && bytes + size > REQUEST_BYTES) {
      yield run;
      run = [];
      bytes = 0;
    }
    run.push(record);
    bytes += size;
  }
  if (run.length > 0) {
    yield run;
  }
}
