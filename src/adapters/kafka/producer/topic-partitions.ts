import { ProtocolError } from '@platformatic/kafka';
import { RetryableError } from '../../../errors/errors.ts';
import type { Brokers, PartitionMetadata } from '../brokers.ts';

/** Partitions are looked up again after this long, so that added partitions are used. */
export const METADATA_MS = 30_000;
/** Kafka's number of `UNKNOWN_TOPIC_OR_PARTITION`. */
const NOT_THERE = 3;
/** Kafka's number of `TOPIC_AUTHORIZATION_FAILED`. */
const NOT_AUTHORIZED = 29;

/** The partitions of one topic and their leaders, looked up when they are unknown or old. */
export class TopicPartitions {
  readonly #topic: string;
  readonly #address: string;
  readonly #brokers: Pick<Brokers, 'metadata'>;
  #lookup: Promise<unknown> = Promise.resolve();
  #known: { partitions: PartitionMetadata[]; at: number } | undefined;

  constructor(topic: string, address: string, brokers: Pick<Brokers, 'metadata'>) {
    this.#topic = topic;
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

  /** Makes the next `get` look the partitions up again. */
  forget(): void {
    this.#known = undefined;
  }

  async #get(): Promise<PartitionMetadata[]> {
    const now = Date.now();
    if (this.#known === undefined || now - this.#known.at >= METADATA_MS) {
      const [state] = (await this.#brokers.metadata([this.#topic])).topics;
      // Of a topic that may not be looked at, the brokers don't tell whether it is there.
      if (state?.errorCode === NOT_AUTHORIZED) throw new ProtocolError(NOT_AUTHORIZED);
      if (state === undefined || state.errorCode === NOT_THERE || state.partitions.length === 0) {
        const message = `no topic ${this.#topic} at ${this.#address}; create it with: twhin topics apply`;
        throw new RetryableError('topic-missing', message);
      }
      this.#known = { partitions: state.partitions, at: now };
    }
    return this.#known.partitions;
  }
}

/** The broker that leads a partition; −1 where none does. */
export function leaderOf(partitions: readonly PartitionMetadata[], partition: number): number {
  return partitions.find(({ partitionIndex }) => partitionIndex === partition)?.leaderId ?? -1;
}
