import { createRequire } from 'node:module';
import type { Kafka } from 'kafkajs';
import { type KafkaSettings, kafkaError } from './client.ts';
import { clusterOf, connectedBroker, type Exchange } from './reader/cluster.ts';

/** Metadata, in the first version that tells topic ids (Kafka 2.8); kafkajs itself stops at 6. */
const METADATA = 3;
const VERSION = 10;
const NO_ID = Buffer.alloc(16);

/** The part of kafkajs's wire format used here. */
interface Encoder {
  writeBoolean(value: boolean): Encoder;
  writeBuffer(value: Buffer): Encoder;
  writeUVarInt(value: number): Encoder;
  writeUVarIntString(value: string): Encoder;
  writeUVarIntArray(value: Encoder[]): Encoder;
}
interface Decoder {
  readInt16(): number;
  readInt32(): number;
  readBoolean(): boolean;
  readBytes(length: number): Buffer;
  readUVarIntString(): string | null;
  readUVarIntArray<T>(read: (decoder: Decoder) => T): T[] | null;
  readTaggedFields(): unknown;
}
/**
 * The identity each topic got when it was made, by name, as Kafka's own tools print it; a topic that isn't there is
 * left out. Empty where the brokers are too old to tell. Over a connection of kafkajs, which logs in as configured.
 * @throws RetryableError when no broker answers.
 */
export async function topicIds(
  kafka: Kafka,
  settings: KafkaSettings,
  topics: readonly string[],
): Promise<Record<string, string>> {
  const cluster = clusterOf(kafka);
  try {
    await cluster.connect();
    await cluster.refreshMetadata();
    const broker = await connectedBroker(cluster, String(cluster.getNodeIds()[0]));
    if ((broker.versions[METADATA]?.maxVersion ?? 0) < VERSION) return {};
    return Object.fromEntries(await broker.connectionPool.send(metadata(topics)));
  } catch (error) {
    throw kafkaError('asking for the ids of topics', settings, error);
  } finally {
    await cluster.disconnect();
  }
}

function metadata(topics: readonly string[]): Exchange<[string, string][]> {
  const require = createRequire(import.meta.url);
  const Encoder: new () => Encoder = require('kafkajs/src/protocol/encoder.js');
  const Decoder: new (bytes: Buffer) => Decoder = require('kafkajs/src/protocol/decoder.js');
  // In both directions the header of this version ends with tagged fields, which kafkajs leaves to the body.
  return {
    request: {
      ...{ apiKey: METADATA, apiVersion: VERSION, apiName: 'Metadata' },
      encode: async () =>
        new Encoder()
          .writeUVarInt(0)
          .writeUVarIntArray(
            topics.map((name) => new Encoder().writeBuffer(NO_ID).writeUVarIntString(name).writeUVarInt(0)),
          )
          // Neither made when missing, nor who may do what with the cluster and the topics.
          .writeBoolean(false)
          .writeBoolean(false)
          .writeBoolean(false)
          .writeUVarInt(0),
    },
    response: { decode: async (payload) => read(new Decoder(payload)), parse: async (ids) => ids },
  };
}

/**
 * MetadataResponse, version 10, up to its topics: tags | throttle i32 | brokers [id i32, host, port i32, rack, tags] |
 * cluster id | controller i32 | topics [error i16, name, id 16 bytes, internal bool, partitions, operations i32, tags]
 */
function read(decoder: Decoder): [string, string][] {
  decoder.readTaggedFields();
  decoder.readInt32();
  decoder.readUVarIntArray((broker) => {
    broker.readInt32();
    broker.readUVarIntString();
    broker.readInt32();
    broker.readUVarIntString();
    broker.readTaggedFields();
  });
  decoder.readUVarIntString();
  decoder.readInt32();
  const topics = decoder.readUVarIntArray((topic) => {
    const error = topic.readInt16();
    const name = topic.readUVarIntString() ?? '';
    const id = Buffer.from(topic.readBytes(NO_ID.length)).toString('base64url');
    topic.readBoolean();
    topic.readUVarIntArray(skipPartition);
    topic.readInt32();
    topic.readTaggedFields();
    return { error, name, id };
  });
  return (topics ?? []).filter(({ error }) => error === 0).map(({ name, id }) => [name, id]);
}

/** error i16 | partition, leader, epoch i32 | replicas, in sync, offline [i32] | tags */
function skipPartition(partition: Decoder): void {
  partition.readInt16();
  for (let field = 0; field < 3; field++) partition.readInt32();
  for (let field = 0; field < 3; field++) partition.readUVarIntArray((replica) => replica.readInt32());
  partition.readTaggedFields();
}
