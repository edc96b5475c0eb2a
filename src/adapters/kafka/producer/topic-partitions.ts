import { ProtocolError } from '@platformatic/kafka';
import { endsSlice, nextTurn } from '../../../graph/turns.ts';
import type { Message } from '../../../pipeline/ports.ts';
import { topicMissing } from '../../log-errors.ts';
import type { Brokers, PartitionMetadata } from '../brokers.ts';
import { NOT_AUTHORIZED, NOT_THERE } from '../failure.ts';
import { ByteWriter } from './byte-writer.ts';
import { keyPartitioner } from './partitioner.ts';
import { encodeHeaders, type PlainHeaders, RecordBatch } from './record-batch.ts';

/** Partitions are looked up again after this long, so that added partitions are used. */
export const METADATA_MS = 30_000;
/** Most bytes of a batch with several records: less than the broker's default limit of 1 MiB. */
const BATCH_BYTES = 900_000;
/** Room of a new writer, which grows with its first batches. Larger writers are not kept, and no more of them than this. */
const [FIRST_BYTES, KEPT_BYTES, KEPT_WRITERS] = [16_384, 2 * 2 ** 20, 16];

/** A batch that is whole. */
export interface Ready {
  readonly partition: number;
  readonly batch: RecordBatch;
  /** The partitions that messages went to for the first time since the last such batch. */
  readonly begun: readonly number[];
}

/** The partitions of one topic and their leaders, looked up when they are unknown or old. */
export class TopicPartitions {
  readonly name: string;
  readonly #address: string;
  readonly #brokers: Pick<Brokers, 'metadata'>;
  readonly #choose = keyPartitioner();
  /**
   * Writers of batches that were acknowledged, whose memory is used again: a megabyte allocated for each request makes the
   * runtime collect all garbage, even where the heap is small.
   */
  readonly #writers: ByteWriter[] = [];
  #lookup: Promise<unknown> = Promise.resolve();
  #known: { partitions: PartitionMetadata[]; at: number } | undefined;

  constructor(topic: string, address: string, brokers: Pick<Brokers, 'metadata'>) {
    this.name = topic;
    this.#address = address;
    this.#brokers = brokers;
  }

  /**
   * The partitions. Look-ups run one after the other, so that partitions whose requests fail together ask the brokers once.
   * @throws RetryableError `topic-missing`; the brokers' error.
   */
  get(): Promise<PartitionMetadata[]> {
    const looked = this.#lookup.then(() => this.#get());
    this.#lookup = looked.catch(() => undefined);
    return looked;
  }

  /**
   * The messages to the topic, encoded, in batches that are sent one after the other within a partition: each comes as soon as it is
   * full, so that it may be on its way while the next are encoded. A message too large for a batch goes in a batch of its own.
   * @throws as `get`.
   */
  async *batchesOf(messages: readonly Message[]): AsyncIterable<Ready> {
    const { length: partitions } = await this.get();
    const open = new Map<number, RecordBatch>();
    const begun: number[] = [];
    // Vectors of one step share their headers.
    const encoded = new Map<PlainHeaders, Uint8Array>();
    for (let i = 0; i < messages.length; i++) {
      if (endsSlice(i)) await nextTurn();
      if (messages[i]!.topic !== this.name) continue;
      const { key, value, headers } = messages[i]!;
      const partition = this.#choose(key, partitions);
      const block = encoded.get(headers) ?? encodeHeaders(headers);
      encoded.set(headers, block);
      const full = open.get(partition);
      if (full?.add(key, value, block, BATCH_BYTES) === true) continue;
      const batch = new RecordBatch(this.#writers.pop() ?? new ByteWriter(FIRST_BYTES));
      batch.add(key, value, block, BATCH_BYTES);
      open.set(partition, batch);
      if (full === undefined) begun.push(partition);
      else yield { partition, batch: full, begun: begun.splice(0) };
    }
    for (const [partition, batch] of open) yield { partition, batch, begun: begun.splice(0) };
  }

  /** Takes back a batch that was acknowledged. One whose request failed may still be on its way to the socket. */
  acknowledged({ writer }: RecordBatch): void {
    if (writer.bytes.length <= KEPT_BYTES && this.#writers.length < KEPT_WRITERS) this.#writers.push(writer);
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
      // The brokers don't tell whether a topic is there that may not be looked at.
      if (state?.errorCode === NOT_AUTHORIZED) throw new ProtocolError(NOT_AUTHORIZED);
      if (state === undefined || state.errorCode === NOT_THERE || state.partitions.length === 0) {
        throw topicMissing(this.name, this.#address);
      }
      this.#known = { partitions: state.partitions, at: now };
    }
    return this.#known.partitions;
  }
}
