import { createRequire } from 'node:module';
import { isKnownRelease } from '../known-release.ts';
import { ByteWriter } from './byte-writer.ts';
import { type PlainRecord, writeBatch } from './record-batch.ts';

/** Room made at first for what is around the value of a record; a buffer that grows costs as much again. */
const AROUND_VALUE_BYTES = 256;

/** What kafkajs makes a produce request of. */
export interface ProduceFields {
  readonly acks: number;
  readonly timeout: number;
  readonly transactionalId?: string | null | undefined;
  readonly producerId?: number | string | undefined;
  readonly producerEpoch?: number | undefined;
  readonly compression?: number | undefined;
  readonly topicData: readonly TopicData[];
}

interface TopicData {
  readonly topic: string;
  readonly partitions: readonly {
    readonly partition: number;
    readonly firstSequence?: number;
    readonly messages: readonly (PlainRecord & { readonly timestamp?: string })[];
  }[];
}

/** What kafkajs takes for an encoder that is done. */
interface Encoded {
  readonly buf: Buffer;
  readonly buffer: Buffer;
}

/** A request as kafkajs sends it. */
export interface ProtocolRequest {
  readonly apiKey: number;
  readonly apiVersion: number;
  readonly encode: () => Promise<Encoded>;
}

type MakeRequest = (fields: ProduceFields) => ProtocolRequest;

let replaced = false;

/**
 * Puts {@link encodeRequest} in the place of kafkajs's own for all that it can encode. Says whether it is there: without
 * it, publishing is only slower.
 * Source: `src/protocol/requests/produce/v3/request.js`, which versions 4 to 7 are made of.
 */
export function replaceProduceEncoder(): boolean {
  if (replaced) return true;
  if (!isKnownRelease()) return false;
  const require = createRequire(import.meta.url);
  const path = require.resolve('kafkajs/src/protocol/requests/produce/v3/request.js');
  const own: MakeRequest = require(path);
  const module = require.cache[path];
  if (module === undefined) return false;
  module.exports = (fields: ProduceFields): ProtocolRequest => {
    const request = own(fields);
    return isPlain(fields) ? { ...request, encode: async () => encodeRequest(fields) } : request;
  };
  replaced = true;
  return true;
}

/** Without compression, and with no record that names its own time: nothing that is sent here does. */
function isPlain({ compression = 0, topicData }: ProduceFields): boolean {
  return (
    compression === 0 &&
    topicData.every(({ partitions }) =>
      partitions.every(({ messages }) => messages.every(({ timestamp }) => timestamp === undefined)),
    )
  );
}

/**
 * The body of a produce request, to the bytes that kafkajs makes of it through encoders for each header, each record,
 * the records, the batch, the partition and the topic, each copied into the next, which takes fifteen times as long
 * (`bench/records.ts`):
 *
 *     transactional id, nullable | acks i16 | timeout i32 | topic count i32
 *     a topic: its name | partition count i32; a partition: its number i32 | bytes of its batch i32 | batch
 */
export function encodeRequest(fields: ProduceFields): Encoded {
  const { acks, timeout, transactionalId = null, producerId = -1, producerEpoch = 0, topicData } = fields;
  const timestamp = Date.now();
  const writer = new ByteWriter(roomFor(topicData));
  writer.nullableText(transactionalId);
  writer.int16(acks);
  writer.int32(timeout);
  writer.int32(topicData.length);
  for (const { topic, partitions } of topicData) {
    writer.nullableText(topic);
    writer.int32(partitions.length);
    for (const { partition, firstSequence = 0, messages } of partitions) {
      writer.int32(partition);
      const lengthAt = writer.at;
      writer.int32(0);
      writeBatch(writer, {
        ...{ records: messages, timestamp, transactional: Boolean(transactionalId) },
        ...{ producerId: BigInt(producerId), producerEpoch, firstSequence },
      });
      writer.bytes.writeInt32BE(writer.at - lengthAt - 4, lengthAt);
    }
  }
  const buffer = writer.written();
  return { buf: buffer, buffer };
}

function roomFor(topicData: readonly TopicData[]): number {
  let bytes = AROUND_VALUE_BYTES;
  for (const { partitions } of topicData) {
    for (const { messages } of partitions) {
      for (const { value } of messages) bytes += AROUND_VALUE_BYTES + (value?.length ?? 0);
    }
  }
  return bytes;
}
