import type { Message } from '../../../pipeline/ports.ts';
import { partBytes } from './byte-writer.ts';
import type { PlainHeaders, PlainRecord } from './record-batch.ts';

/** Most bytes of a request: less than the broker's default limit of 1 MiB for a batch. */
const REQUEST_BYTES = 900_000;
/** Bytes of a record beside key, value and headers, rounded up. */
const RECORD_OVERHEAD_BYTES = 70;
/** Bytes of a header beside name and value, rounded up. */
const HEADER_OVERHEAD_BYTES = 10;

/** Messages that go to one partition in one request, in order. */
export interface ProduceRequest {
  readonly partition: number;
  readonly messages: PlainRecord[];
}

/** The requests of one partition; the last may still have room. */
interface Runs {
  readonly requests: ProduceRequest[];
  last: PlainRecord[];
  lastBytes: number;
}

/**
 * The requests that send messages to a topic. Each request is for one partition, and the requests of a partition are in
 * order. A message too large for a request goes in a request of its own.
 */
export function requestsOf(
  messages: readonly Message[],
  partitions: number,
  choose: (key: string | Uint8Array | null | undefined, partitions: number) => number,
): ProduceRequest[] {
  const byPartition = new Map<number, Runs>();
  // Vectors of one step share their headers.
  const headersBytes = new Map<Message['headers'], number>();
  for (const { key, value, headers } of messages) {
    const record: PlainRecord = { key, value, headers };
    const partition = choose(key, partitions);
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
      runs.last = [];
      runs.lastBytes = 0;
      runs.requests.push({ partition, messages: runs.last });
    }
    runs.last.push(record);
    runs.lastBytes += bytes;
  }
  return [...byPartition.values()].flatMap(({ requests }) => requests);
}

/** Size of the largest message, as max.message.bytes counts it. */
export function largestBytes(messages: readonly PlainRecord[]): number {
  let largest = 0;
  for (const { key, value, headers = {} } of messages) {
    const bytes = RECORD_OVERHEAD_BYTES + partBytes(key) + partBytes(value) + bytesOfHeaders(headers);
    largest = Math.max(largest, bytes);
  }
  return largest;
}

function bytesOfHeaders(headers: PlainHeaders): number {
  let bytes = 0;
  for (const [name, value] of Object.entries(headers)) {
    bytes += HEADER_OVERHEAD_BYTES + Buffer.byteLength(name) + partBytes(value);
  }
  return bytes;
}
