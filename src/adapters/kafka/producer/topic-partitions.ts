import { ProtocolError } from '@platformatic/kafka';
import { RetryableError } from '../../../errors/errors.ts';
import type { Message } from '../../../pipeline/ports.ts';
import type { Brokers, PartitionMetadata } from '../brokers.ts';
import { keyPartitioner } from './partitioner.ts';
import { type ProduceRequest, requestsOf } from './produce-requests.ts';

/** Partitions are looked up again after this long, so that added partitions are used. */
export const METADATA_MS = 30_000;
/** Kafka's number of `UNKNOWN_TOPIC_OR_PARTITION`. */
const NOT_THERE = 3;
/** Kafka's number of `TOPIC_AUTHORIZATION_FAILED`. */
const NOT_AUTHORIZED = 29;

/** The partitions of one topic and their leaders, looked up when they are unknown or old. */
export class TopicPartitions {
  readonly name: string;
  readonly #address: string;
  readonly #brokers: Pick<Brokers, 'metadata'>;
  readonly #choose = keyPartitioner();
  #lookup: Promise<unknown> = Promise.resolve();
  #known: { partitions: PartitionMetadata[]; at: number } | undefined;

  constructor(topic: string, address: string, brokers: Pick<Brokers, 'metadata'>) {
    this.name = topic;
    this.#address = address;
    this.#brokers = brokers;
  }

  /**
   * Look-ups run one after the other: of two at once, that of the later send could be answered first, and the later send
   * would overtake the earlier one.
   * @throws RetryableError `topic-missing`; the brokers' error.
   */
  get(): Promise<PartitionMetadata[]> {
    const looked = this.#lookup.then(() => this.#get());
    this.#lookup = looked.catch(() => undefined);
    return looked;
  }

  /** The requests that send messages to the topic. @throws as `get`. */
  async requestsOf(messages: readonly Message[]): Promise<ProduceRequest[]> {
    return requestsOf(messages, (await this.get()).length, this.#choose);
  }

  /** The broker that leads a partition; −1 where none does. @throws as `get`. */
  async leaderOf(partition: number): Promise<number> {
    return (await this.get()).find(({ partitionIndex }) => partitionIndex === partition)?.leaderId ?? -1;
  }

  /** Makes the next `get` look the partitions up again. */
  forget(): void {
    this.#known = undefined;
  }

  async #get(): Promise<PartitionMetadata[]> {
    const now = Date.now();
    if (this.#known === undefined || now - this.#known.at >= METADATA_MS) {
      const [state] = (await this.#brokers.metadata([this.name])).topics;
      // Of a topic that may not be looked at, the brokers don't tell whether it is there.
      if (state?.errorCode === NOT_AUTHORIZED) throw new ProtocolError(NOT_AUTHORIZED);
      if (state === undefined || state.errorCode === NOT_THERE || state.partitions.length === 0) {
        const message = `no topic ${this.name} at ${this.#address}; create it with: twhin topics apply`;
        throw new RetryableError('topic-missing', message);
      }
      this.#known = { partitions: state.partitions, at: now };
    }
    return this.#known.partitions;
  }
}
