import { createRequire } from 'node:module';
import { FatalError } from '../../../errors/errors.ts';
import { safeOffset } from '../offset.ts';
import type { AbortedTransaction } from './batches.ts';
import type { ConnectedBroker, Exchange } from './cluster.ts';

const FETCH = 1;
/** Of Kafka 2.3 and later, and the last that kafkajs can ask. */
const VERSION = 11;
/** Of one answer; the first partition with records gets a whole batch, however large. */
const MAX_ANSWER_BYTES = 16 << 20;

/** Records wanted of one partition. */
export interface Wanted {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly maxBytes: number;
}

/** What a broker says of one partition. */
export interface Fetched {
  readonly topic: string;
  readonly partition: number;
  /** Kafka's number; 0 is none. */
  readonly error: number;
  /** Nothing from here on is given: it isn't written, or its transaction is still open. */
  readonly stableOffset: number;
  readonly aborted: readonly AbortedTransaction[];
  /** Record batches, the last one perhaps cut off. */
  readonly bytes: Buffer;
}

/** Records that no open or aborted transaction wrote, as the leader of the partitions holds them. */
export async function fetchFrom(
  broker: ConnectedBroker,
  wanted: readonly Wanted[],
  waitMs: number,
): Promise<Fetched[]> {
  if ((broker.versions[FETCH]?.maxVersion ?? 0) < VERSION) {
    throw new FatalError(
      'broker-old',
      'the broker is older than Kafka 2.3, which reading a part of a log needs',
    );
  }
  return (await broker.connectionPool.send(exchange(wanted, waitMs))).partitions;
}

/** The part of kafkajs's wire format used here. */
interface Decoder {
  readInt16(): number;
  readInt32(): number;
  readInt64(): bigint;
  readString(): string | null;
  readBytes(): Buffer | null;
}

interface Answer {
  /** Read by kafkajs, which then holds its next request back. */
  readonly clientSideThrottleTime: number;
  readonly partitions: Fetched[];
}

type Request = Exchange<Answer>['request'];

function exchange(wanted: readonly Wanted[], waitMs: number): Exchange<Answer> {
  const require = createRequire(import.meta.url);
  const request: (fields: object) => Request = require('kafkajs/src/protocol/requests/fetch/v11/request.js');
  const topics = [...Map.groupBy(wanted, ({ topic }) => topic)].map(([topic, partitions]) => ({
    topic,
    partitions: partitions.map(({ partition, offset, maxBytes }) => ({
      partition,
      fetchOffset: offset,
      maxBytes,
    })),
  }));
  return {
    // Replica -1 is a reader; read committed, which is 1, is what kafkajs assumes.
    request: request({
      replicaId: -1,
      maxWaitTime: waitMs,
      minBytes: 1,
      maxBytes: MAX_ANSWER_BYTES,
      isolationLevel: 1,
      topics,
    }),
    response: { decode: async (payload) => answerOf(payload), parse: async (answer) => answer },
  };
}

/*
 * FetchResponse, version 11; [ ] is a count i32 (-1: none) and that many:
 *   throttle i32 | error i16 | session i32 | [ topic: length i16, text | [ partition ] ]
 *   partition: number i32 | error i16 | high watermark i64 | stable offset i64 | log start i64 |
 *              [ producer i64, first offset i64 ] | preferred replica i32 | length i32, record batches
 */
function answerOf(payload: Buffer): Answer {
  const require = createRequire(import.meta.url);
  const Decoder: new (bytes: Buffer) => Decoder = require('kafkajs/src/protocol/decoder.js');
  const decoder = new Decoder(payload);
  const clientSideThrottleTime = decoder.readInt32();
  const error = decoder.readInt16();
  if (error !== 0) {
    throw new Error(`the broker refused to give records: Kafka's error ${error}`);
  }
  decoder.readInt32();
  const partitions: Fetched[] = [];
  for (let topics = decoder.readInt32(); topics > 0; topics--) {
    const topic = decoder.readString() ?? '';
    for (let left = decoder.readInt32(); left > 0; left--) {
      partitions.push(partitionOf(decoder, topic));
    }
  }
  return { clientSideThrottleTime, partitions };
}

function partitionOf(decoder: Decoder, topic: string): Fetched {
  const partition = decoder.readInt32();
  const error = decoder.readInt16();
  decoder.readInt64();
  const stableOffset = safeOffset(String(decoder.readInt64()), topic);
  decoder.readInt64();
  const aborted = Array.from({ length: Math.max(0, decoder.readInt32()) }, () => ({
    producerId: decoder.readInt64(),
    firstOffset: safeOffset(String(decoder.readInt64()), topic),
  }));
  decoder.readInt32();
  const bytes = ownCopy(decoder.readBytes() ?? Buffer.alloc(0));
  return { topic, partition, error, stableOffset, aborted, bytes };
}

/** A small part of an answer is copied, or keeping it would keep the whole answer. */
function ownCopy(bytes: Buffer): Buffer {
  return bytes.length * 2 < bytes.buffer.byteLength ? Buffer.from(bytes) : bytes;
}
