import type { ICustomPartitioner, Message as KafkaMessage, PartitionMetadata } from 'kafkajs';
import type { Message } from '../../../pipeline/ports.ts';
import { partBytes } from './byte-writer.ts';
import { grouped } from './grouped.ts';

/** A request stays below the broker's default limit of 1 MiB a batch. */
const REQUEST_BYTES = 900_000;
/** Lengths, deltas and the like around one record, rounded up. */
const RECORD_OVERHEAD_BYTES = 70;
/** Lengths around one header, rounded up. */
const HEADER_OVERHEAD_BYTES = 10;

/** Messages that go to one partition in one request, in order. */
export interface ProduceRequest {
  readonly partition: number;
  readonly messages: KafkaMessage[];
}

/** A message, ours or of kafkajs. */
type Sized = Pick<Message, 'key' | 'value' | 'headers'> | KafkaMessage;

/** Requests of one partition; there is room in the last. */
interface Runs {
  readonly requests: ProduceRequest[];
  last: KafkaMessage[];
  lastBytes: number;
}

/**
 * The requests that send messages to a topic: one partition each, because kafkajs can resolve a request over several
 * leaders without having sent all of it; those of one partition in order. A message too large for one goes alone.
 */
export function requestsOf(
  topic: string,
  messages: readonly Message[],
  partitionMetadata: PartitionMetadata[],
  choose: ReturnType<ICustomPartitioner>,
): ProduceRequest[] {
  const byPartition = new Map<number, Runs>();
  // Vectors of one step share their headers.
  const headersBytes = new Map<Message['headers'], number>();
  for (const { key, value, headers } of messages) {
    const record: KafkaMessage = { key, value: bufferOf(value), headers };
    const partition = choose({ topic, partitionMetadata, message: record });
    record.partition = partition;
    let ofHeaders = headersBytes.get(headers);
    if (ofHeaders === undefined) {
      ofHeaders = bytesOfHeaders(headers);
      headersBytes.set(headers, ofHeaders);
    }
    const bytes = RECORD_OVERHEAD_BYTES + partBytes(key) + partBytes(value) + ofHeaders;
    let runs = byPartition.get(partition);
    if (runs === undefined) {
      runs = { requests: [], last: [], lastBytes: REQUEST_BYTES };
      byPartition.set(partition, runs);
    }
    if (runs.lastBytes + bytes > REQUEST_BYTES) {
      runs.last = grouped(partition, []);
      runs.lastBytes = 0;
      runs.requests.push({ partition, messages: runs.last });
    }
    runs.last.push(record);
    runs.lastBytes += bytes;
  }
  return [...byPartition.values()].flatMap(({ requests }) => requests);
}

/** Size of the largest, as it counts against max.message.bytes. */
export function largestBytes(messages: readonly Sized[]): number {
  let largest = 0;
  for (const { key, value, headers } of messages) {
    const bytes = RECORD_OVERHEAD_BYTES + partBytes(key) + partBytes(value) + bytesOfHeaders(headers ?? {});
    largest = Math.max(largest, bytes);
  }
  return largest;
}

function bufferOf(value: Uint8Array | null): Buffer | null {
  return value === null || Buffer.isBuffer(value)
    ? value
    : Buffer.from(value.buffer, value.byteOffset, value.byteLength);
}

function bytesOfHeaders(headers: NonNullable<Sized['headers']>): number {
  let bytes = 0;
  for (const [name, header] of Object.entries(headers)) {
    bytes += HEADER_OVERHEAD_BYTES + Buffer.byteLength(name);
    if (!Array.isArray(header)) bytes += partBytes(header);
  }
  return bytes;
}
