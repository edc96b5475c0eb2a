import { type Connection, createAPI, fetchV12, ProtocolError, type Reader } from '@platformatic/kafka';
import type { Partition } from '../../../pipeline/ports.ts';
import type { EpochEnd } from '../../agreed.ts';
import { safeOffset } from '../failure.ts';
import type { AbortedTransaction } from './batches.ts';

/** Most bytes of one answer. The broker sends at least one whole batch, however large, of the first partition that has any. */
const MAX_ANSWER_BYTES = 16 << 20;
const READ_COMMITTED = 1;

/** Records wanted of one partition. */
export interface Wanted extends Partition {
  readonly offset: number;
  /** Leader epoch in which the leader leads; one that leads in another refuses. */
  readonly currentEpoch: number;
  /** Leader epoch of the record before `offset`, where it is known: the leader says where its log parts from it. */
  readonly epoch: number | undefined;
  readonly maxBytes: number;
}

/** A broker's answer for one partition. */
export interface Fetched extends Partition {
  /** Kafka's error number; 0 means no error. */
  readonly error: number;
  /** The broker gives nothing from this offset on: the records are not written yet, or their transaction is open. */
  readonly stableOffset: number;
  readonly aborted: readonly AbortedTransaction[];
  /** Present where the log lost records that were read: see `isLost`. */
  readonly diverging?: EpochEnd;
  /** Record batches; the last one may be cut off. */
  readonly bytes: Buffer;
}

/** Fetches committed records from the leader of their partitions. waitMs: how long the leader may wait for the first record. */
export async function fetchFrom(
  leader: Connection,
  wanted: readonly Wanted[],
  waitMs: number,
): Promise<Fetched[]> {
  const topics = [...Map.groupBy(wanted, ({ topic }) => topic)].map(([topicId, partitions]) => ({
    topicId,
    partitions: partitions.map(({ partition, offset, currentEpoch, epoch = -1, maxBytes }) => ({
      partition,
      currentLeaderEpoch: currentEpoch,
      fetchOffset: BigInt(offset),
      lastFetchedEpoch: epoch,
      partitionMaxBytes: maxBytes,
    })),
  }));
  return fetchBytes.async(leader, waitMs, 1, MAX_ANSWER_BYTES, READ_COMMITTED, 0, -1, topics, [], '');
}

/**
 * Fetch 12, with the record batches left encoded. The client's own parser decodes all of them at once, whatever their
 * size, and lets records of an aborted transaction through where the transaction's marker is in a later answer.
 */
const fetchBytes = createAPI<Parameters<typeof fetchV12.createRequest>, Fetched[]>(
  1,
  12,
  fetchV12.createRequest,
  parseAnswer,
);

/** FetchResponse 12: throttle i32 | error i16 | session i32 | topics, each a name and its partitions. */
function parseAnswer(_correlation: number, _key: number, _version: number, reader: Reader): Fetched[] {
  reader.readInt32();
  const error = reader.readInt16();
  if (error !== 0) throw new ProtocolError(error);
  reader.readInt32();
  return reader
    .readArray((topics) => {
      const topic = topics.readString();
      return topics.readArray((partitions) => parsePartition(partitions, topic), true, false);
    })
    .flat();
}

/** partition i32 | error i16 | high watermark, stable offset, log start i64 | aborted | preferred replica i32 | batches | tagged fields */
function parsePartition(reader: Reader, topic: string): Fetched {
  const partition = reader.readInt32();
  const error = reader.readInt16();
  reader.readInt64();
  const stableOffset = safeOffset(reader.readInt64(), topic);
  reader.readInt64();
  const aborted = reader.readArray((each) => ({
    producerId: each.readInt64(),
    firstOffset: safeOffset(each.readInt64(), topic),
  }));
  reader.readInt32();
  const view = reader.readBytes();
  // A view of a small part of an answer would keep the whole answer in memory.
  const bytes = view.length * 2 < view.buffer.byteLength ? Buffer.from(view) : view;
  const diverging = parseDiverging(reader, topic);
  return { topic, partition, error, stableOffset, aborted, bytes, ...(diverging && { diverging }) };
}

/** Tagged fields: how many, and each with its tag and length. The one with tag 0: epoch i32 | end offset i64. */
function parseDiverging(reader: Reader, topic: string): EpochEnd | undefined {
  let diverging: EpochEnd | undefined;
  for (let left = reader.readUnsignedVarInt(); left > 0; left--) {
    const tag = reader.readUnsignedVarInt();
    const length = reader.readUnsignedVarInt();
    if (tag !== 0) reader.skip(length);
    else diverging = { epoch: reader.readInt32(), offset: safeOffset(reader.readInt64(), topic) };
    // The field may have tagged fields of its own.
    if (tag === 0) reader.skip(length - 12);
  }
  return diverging;
}
