import { RetryableError, ShapeError } from '../../errors/errors.ts';
import type { Log } from '../../log.ts';
import { patiently } from '../../pipeline/patience.ts';
import type {
  EventLog,
  FollowedLog,
  Follower,
  Following,
  PartitionRange,
  RecordRun,
  SourceRecord,
} from '../../pipeline/ports.ts';
import { eachRecord } from '../../pipeline/reading/bounded.ts';
import { readContent } from '../../pipeline/reading/record-content.ts';
import { concernedShards, type RoutedGraph } from './share-router.ts';
import { decodeStretch, type RoutedRecord, type RoutedStretch } from './stretch.ts';

/** Where a shard reads. */
export interface ShardPlace extends RoutedGraph {
  /** Number of the shard. */
  readonly index: number;
  /** Full name of the topic in which the shards send each other parcels. */
  readonly exchangeTopic: string;
}

/** What a shard met in the edges topic, since the process began. */
export interface RoutedCounts {
  /** Records that are no stretch. */
  unreadable: number;
}

type ShardedLog = Pick<EventLog, 'ranges' | 'topicIds' | 'follow' | 'read' | 'close'>;

/**
 * A log as one shard sees it: its own partition of the exchange topic and of the edges topic, and no event topic. Routed events are
 * handed over under the topic, partition and offset of their records, so that a store says how far it has the event topics. What
 * no router sent, or the edges topic no longer holds, is read from the event topic: each event is handed over once, in order.
 */
export class ShardLog implements FollowedLog {
  readonly counts: RoutedCounts = { unreadable: 0 };
  readonly #log: ShardedLog;
  readonly #place: ShardPlace;
  readonly #lines: Log;
  readonly #closing = new AbortController();

  constructor(log: ShardedLog, place: ShardPlace, lines: Log) {
    this.#log = log;
    this.#place = place;
    this.#lines = lines;
  }

  async ranges(topics: readonly string[]): Promise<PartitionRange[]> {
    return (await this.#log.ranges(topics)).filter(({ topic, partition }) => this.#reads(topic, partition));
  }

  topicIds(topics: readonly string[]): Promise<Readonly<Record<string, string>>> {
    return this.#log.topicIds(topics);
  }

  async follow(names: readonly string[], follower: Follower): Promise<Following> {
    const { edgesTopic, topics } = this.#place;
    const ending = new AbortController();
    const ended = AbortSignal.any([ending.signal, this.#closing.signal]);
    const reading = { log: this.#log, place: this.#place, lines: this.#lines, counts: this.counts };
    const unpacked = new Unpacked({ ...reading, follower, ended });
    const [routed] = await patiently(() => this.ranges([edgesTopic]), ended);
    const following = await this.#log.follow(
      names.filter((topic) => !topics.has(topic)),
      {
        // What retention took of the edges topic shows as a gap in the offsets of the events.
        position: (topic, partition) => {
          const position = follower.position(topic, partition);
          return topic === edgesTopic && position !== undefined
            ? Math.max(position, routed?.low ?? 0)
            : position;
        },
        reads: (topic, partition) =>
          this.#reads(topic, partition) && (follower.reads?.(topic, partition) ?? true),
        take: (run) => (run.topic === edgesTopic ? unpacked.take(run) : follower.take(run)),
        failed: (error) => follower.failed(error),
      },
    );
    return {
      close: () => {
        ending.abort();
        return following.close();
      },
    };
  }

  close(): Promise<void> {
    this.#closing.abort();
    return this.#log.close();
  }

  #reads(topic: string, partition: number): boolean {
    const { exchangeTopic, edgesTopic, index } = this.#place;
    return (topic !== exchangeTopic && topic !== edgesTopic) || partition === index;
  }
}

interface Reading {
  readonly log: ShardedLog;
  readonly place: ShardPlace;
  readonly follower: Follower;
  readonly lines: Log;
  readonly counts: RoutedCounts;
  readonly ended: AbortSignal;
}

/** Hands over routed stretches as runs of the event topics. */
class Unpacked {
  readonly #reading: Reading;

  constructor(reading: Reading) {
    this.#reading = reading;
  }

  /** @throws RetryableError `stopped`; FatalError `offset-out-of-range` where the event topic does not hold a gap any more. */
  async take(run: RecordRun): Promise<void> {
    const { follower } = this.#reading;
    for (const record of run.records) {
      const stretch = this.#stretchOf(record);
      if (stretch === undefined) continue;
      const { topic, partition, from, until } = stretch;
      const position = follower.position(topic, partition);
      const begin = position ?? Math.min(from, await this.#lowOf(stretch));
      if (begin < from) await this.#fill(stretch, begin);
      // What is below the position came before, from this router or from the one before it.
      else if (position !== undefined && until <= position) continue;
      const records = stretch.records
        .filter(({ offset }) => offset >= begin)
        .map((routed) => sourceRecord(topic, partition, routed));
      await this.#hand({ topic, partition, records, next: until });
    }
    await this.#hand({ ...run, records: [] });
  }

  /** undefined for a record that is no stretch of the graph's events. What it may have held is missed as a gap. */
  #stretchOf(record: SourceRecord): RoutedStretch | undefined {
    const { place, lines, counts } = this.#reading;
    try {
      const stretch = decodeStretch(record.value);
      if (place.topics.has(stretch.topic)) return stretch;
      throw new ShapeError(`the graph reads no topic ${stretch.topic}`);
    } catch (error) {
      if (!(error instanceof ShapeError)) throw error;
      const { topic, partition, offset } = record;
      counts.unreadable++;
      lines.error(
        { graph: place.graph, topic, partition, offset, reason: error.message },
        'a record is passed over',
      );
      return undefined;
    }
  }

  /**
   * Reads from the event topic what no stretch brought: from the shard's own offset up to where the stretch begins. Dead letters of it
   * are the routers'.
   */
  async #fill({ topic, partition, from: until }: RoutedStretch, from: number): Promise<void> {
    const { log, place, lines } = this.#reading;
    const { graph, index, topics, limits } = place;
    lines.warn(
      { graph, shard: index, topic, partition, from, until },
      'events that no router sent are read from their topic',
    );
    await eachRecord(log, [{ topic, partition, from, until }], async (records) => {
      const own = records.flatMap(({ offset, timestamp, ...record }) => {
        const { changes } = readContent({ offset, timestamp, ...record }, topics, limits);
        const concerning = concernedShards(changes, place).get(index);
        return concerning ? [sourceRecord(topic, partition, { offset, timestamp, changes: concerning })] : [];
      });
      await this.#hand({ topic, partition, records: own, next: records.at(-1)!.offset + 1 });
    });
  }

  async #lowOf({ topic, partition, from }: RoutedStretch): Promise<number> {
    if (from === 0) return 0;
    const { log, ended } = this.#reading;
    const ranges = await patiently(() => log.ranges([topic]), ended);
    return ranges.find((range) => range.partition === partition)?.low ?? 0;
  }

  /** Nothing is handed over after the end. */
  async #hand(run: RecordRun): Promise<void> {
    const { follower, ended } = this.#reading;
    if (ended.aborted) throw new RetryableError('stopped', 'the shard stopped while it was handed events');
    await follower.take(run);
  }
}

function sourceRecord(
  topic: string,
  partition: number,
  { offset, timestamp, changes }: RoutedRecord,
): SourceRecord {
  return { topic, partition, offset, timestamp, key: null, value: null, content: { changes } };
}
