import { RetryableError } from '../../../errors/errors.ts';
import type { Brokers, PartitionMetadata } from '../brokers.ts';

/** Partitions are looked up again after this long, so that added ones are used. */
export const METADATA_MS = 30_000;
/** Kafka's number of `UNKNOWN_TOPIC_OR_PARTITION`. */
const NOT_THERE = 3;

/** The partitions of one topic and their leaders, looked up now and then. */
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
   * One look-up after the other: side by side, a later send could have its answer first and overtake.
   * @throws RetryableError `topic-missing`; what the brokers say.
   */
  get(): Promise<PartitionMetadata[]> {
    const looked = this.#lookup.then(() => this.#get());
    this.#lookup = looked.catch(() => undefined);
    return looked;
  }

  /** Looks them up again next time. */
  forget(): void {
    this.#known = undefined;
  }

  async #get(): Promise<PartitionMetadata[]> {
    const now = Date.now();
    if (this.#known === undefined || now - this.#known.at >= METADATA_MS) {
      const [state] = (await this.#brokers.metadata([this.#topic])).topics;
      if (state === undefined || state.errorCode === NOT_THERE || state.partitions.length === 0) {
        const message = `no topic ${this.#topic} at ${this.#address}; create it with: twhin topics apply`;
        throw new RetryableError('topic-missing', message);
      }
      this.#known = { partitions: state.partitions, at: now };
    }
    return this.#known.partitions;
  }
}

/** The broker that leads a partition; -1 where none does. */
export function leaderOf(partitions: readonly PartitionMetadata[], partition: number): number {
  return partitions.find(({ partitionIndex }) => partitionIndex === partition)?.leaderId ?? -1;
}
