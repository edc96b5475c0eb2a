import { ProtocolError } from '@platformatic/kafka';
import type { Message } from '../../../pipeline/ports.ts';
import { topicMissing } from '../../log-errors.ts';
import type { Brokers, PartitionMetadata } from '../brokers.ts';
import { NOT_AUTHORIZED, NOT_THERE } from '../failure.ts';
import { partBytes } from './byte-writer.ts';
import { keyPartitioner } from './partitioner.ts';
import type { PlainHeaders, PlainRecord } from './record-batch.ts';

/** Partitions are looked up again after this long, so that added partitions are used. */
export const METADATA_MS = 30_000;

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
   * The partitions. Look-ups run one after the other, so that partitions whose requests fail together ask the brokers once.
   * @throws RetryableError `topic-missing`; the brokers' error.
   */
  get(): Promise<PartitionMetadata[]> {
    const looked = this.#lookup.then(() => this.#get());
    this.#lookup = looked.catch(() => undefined);
    return looked;
  }

  /** The requests that send messages to the topic. @throws as `get`. */
  async requestsOf(messages: readonly Message[]): Promise<Map<number, PlainRecord[][]>> {
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

/** Most bytes of a request: less than the broker's default limit of 1 MiB for a batch. */
const REQUEST_BYTES = 900_000;
/** Bytes of a record beside key, value and headers, rounded up. */
const RECORD_OVERHEAD_BYTES = 70;
/** Bytes of a header beside name and value, rounded up. */
const HEADER_OVERHEAD_BYTES = 10;

/**
 * The requests that send messages to a topic, by partition and in order: the records of each. A message too large for a
 * request goes in a request of its own.
 */
export function requestsOf(
  messages: readonly Message[],
  partitions: number,
  choose: (key: string | Uint8Array | null | undefined, partitions: number) => number,
): Map<number, PlainRecord[][]> {
  const requests = new Map<number, PlainRecord[][]>();
  // Vectors of one step share their headers.
  const ofHeaders = new Map<PlainHeaders, number>();
  const roomBytes = new Float64Array(partitions);
  for (const message of messages) {
    const partition = choose(message.key, partitions);
    const bytes = bytesOf(message, ofHeaders);
    const runs = requests.get(partition) ?? [];
    if (bytes > roomBytes[partition]!) {
      requests.set(partition, runs);
      runs.push([]);
      roomBytes[partition] = REQUEST_BYTES;
    }
    runs.at(-1)!.push(message);
    roomBytes[partition]! -= bytes;
  }
  return requests;
}

/** Size of the largest message, as max.message.bytes counts it. */
export function largestBytes(messages: readonly PlainRecord[]): number {
  return messages.reduce((largest, message) => Math.max(largest, bytesOf(message)), 0);
}

/** known: bytes of headers that were counted before. */
function bytesOf({ key, value, headers = {} }: PlainRecord, known = new Map<PlainHeaders, number>()): number {
  let bytes = known.get(headers);
  if (bytes === undefined) {
    bytes = RECORD_OVERHEAD_BYTES;
    for (const [name, each] of Object.entries(headers))
      bytes += HEADER_OVERHEAD_BYTES + Buffer.byteLength(name) + partBytes(each);
    known.set(headers, bytes);
  }
  return bytes + partBytes(key) + partBytes(value);
}
