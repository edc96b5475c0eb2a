import type { ICustomPartitioner, Message as KafkaMessage, PartitionMetadata } from 'kafkajs';
import type { Message } from '../../../pipeline/ports.ts';

/** A request stays below the broker's default limit of 1 MiB a batch. */
const REQUEST_BYTES = 900_000;
/** Lengths, deltas and the like around one record, rounded up. */
const RECORD_OVERHEAD_BYTES = 70;

/** Messages that go to one partition in one request, in order. */
export interface ProduceRequest {
  readonly partition: number;
  readonly messages: KafkaMessage[];
}

/** A message, ours or of kafkajs. */
type Sized = Pick<Message, 'key' | 'value' | 'headers'> | KafkaMessage;

/**
 * The requests that send messages to a topic: one partition each, because kafkajs can resolve a request over several
 * leaders without having sent all of it; those of one partition in order.
 */
export function requestsOf(
  topic: string,
  messages: readonly Message[],
  partitionMetadata: PartitionMetadata[],
  choose: ReturnType<ICustomPartitioner>,
): ProduceRequest[] {
  const byPartition = new Map<number, KafkaMessage[]>();
  for (const message of messages) {
    const record = kafkaMessage(message);
    const partition = choose({ topic, partitionMetadata, message: record });
    const list = byPartition.get(partition) ?? [];
    byPartition.set(partition, list);
    list.push({ ...record, partition });
  }
  return [...byPartition].flatMap(([partition, records]) =>
    [...runsOf(records)].map((run) => ({ partition, messages: run })),
  );
}

/** Size of the largest, as it counts against max.message.bytes. */
export function largestBytes(messages: readonly Sized[]): number {
  return messages.reduce((largest, message) => Math.max(largest, bytesOf(message)), 0);
}

function kafkaMessage({ key, value, headers }: Message): KafkaMessage {
  const bytes =
    value === null || Buffer.isBuffer(value)
      ? value
      : Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  return { key, value: bytes, headers: { ...headers } };
}

function bytesOf({ key, value, headers }: Sized): number {
  let bytes = RECORD_OVERHEAD_BYTES + lengthOf(key) + lengthOf(value);
  for (const [name, header] of Object.entries(headers ?? {})) {
    bytes += 10 + Buffer.byteLength(name) + (Array.isArray(header) ? 0 : lengthOf(header));
  }
  return bytes;
}

function lengthOf(part: Uint8Array | string | null | undefined): number {
  return typeof part === 'string' ? Buffer.byteLength(part) : (part?.length ?? 0);
}

/** The records in runs that each fit one request; a record larger than that goes alone. */
function* runsOf(records: readonly KafkaMessage[]): Generator<KafkaMessage[]> {
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
