import type { PartitionMetadata } from 'kafkajs';
import type { KafkaAdmin } from '../admin.ts';

/** Partition counts are looked up again after this long, as producers in Java do far less often. */
export const METADATA_MS = 30_000;

/** The partitions of one topic, looked up now and then. */
export class TopicPartitions {
  readonly #topic: string;
  readonly #admin: KafkaAdmin;
  readonly #grown: () => Promise<void>;
  #lookup: Promise<unknown> = Promise.resolve();
  #known: { metadata: PartitionMetadata[]; at: number } | undefined;

  /** grown: awaited when there are others than before, of which a connection would not know. */
  constructor(topic: string, admin: KafkaAdmin, grown: () => Promise<void>) {
    this.#topic = topic;
    this.#admin = admin;
    this.#grown = grown;
  }

  /** One after the other: looked up side by side, a later send could have its answer first and overtake. */
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
    if (this.#known !== undefined && now - this.#known.at < METADATA_MS) {
      return this.#known.metadata;
    }
    const metadata = await this.#admin.partitions(this.#topic);
    const before = this.#known?.metadata.length ?? metadata.length;
    if (before !== metadata.length) await this.#grown();
    this.#known = { metadata, at: now };
    return metadata;
  }
}
