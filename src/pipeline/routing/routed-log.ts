import { FatalError, ShapeError } from '../../errors/errors.ts';
import type { Shard } from '../../graph/shard.ts';
import type { Log } from '../../log.ts';
import { patiently } from '../patience.ts';
import type { FollowedLog, Follower, RecordRun, SourceRecord } from '../ports.ts';
import { decodeStretch, type RoutedRecord, type RoutedStretch } from './stretch.ts';

/** Where a shard reads what is routed to it. */
export interface RoutedPlace {
  readonly shard: Shard;
  /** Full names on the log: of the topic in which events are routed, and of the event topics that they are from. */
  readonly edgesTopic: string;
  readonly eventTopics: readonly string[];
  readonly counts: RoutedCounts;
}

/** What a shard met in the topic in which events are routed to it. */
export interface RoutedCounts {
  /** Records that are no stretch, and were passed over. */
  unreadable: number;
}

/**
 * A log as a shard behind routers sees it. Routed records are handed over under the topic, partition and offset of their events,
 * so that a store says how far it has the events themselves, and may change between routed and direct reading at any commit.
 * Where the events end is said by the event topics.
 */
export function routedLog(log: FollowedLog, place: RoutedPlace, lines: Log): FollowedLog {
  const closing = new AbortController();
  const reads = (topic: string, partition: number) =>
    topic !== place.edgesTopic || partition === place.shard.index;
  return {
    ranges: async (topics) =>
      (await log.ranges(topics)).filter(({ topic, partition }) => reads(topic, partition)),
    topicIds: (topics) => log.topicIds(topics),
    follow: async (topics, follower) => {
      const unpacked = new Unpacked({ log, place, follower, lines, closing: closing.signal });
      const routed = await patiently(() => log.ranges([place.edgesTopic]), closing.signal);
      const low = routed.find(({ partition }) => partition === place.shard.index)?.low ?? 0;
      return log.follow(
        topics.filter((topic) => !place.eventTopics.includes(topic)),
        {
          // What retention took of the routed events may have been read otherwise: by their own offsets, a gap is seen.
          position: (topic, partition) => {
            const position = follower.position(topic, partition);
            return topic === place.edgesTopic && position !== undefined ? Math.max(position, low) : position;
          },
          reads: (topic, partition) =>
            reads(topic, partition) && (follower.reads?.(topic, partition) ?? true),
          take: (run) => (run.topic === place.edgesTopic ? unpacked.take(run) : follower.take(run)),
          failed: (error) => follower.failed(error),
        },
      );
    },
    close: () => {
      closing.abort();
      return log.close();
    },
  };
}

interface Reading {
  readonly log: Pick<FollowedLog, 'ranges'>;
  readonly place: RoutedPlace;
  readonly follower: Follower;
  readonly lines: Log;
  readonly closing: AbortSignal;
}

/** Hands over routed stretches as runs of the event topics. */
class Unpacked {
  readonly #reading: Reading;

  constructor(reading: Reading) {
    this.#reading = reading;
  }

  /** @throws FatalError `routed-gap`, RetryableError `stopped`. */
  async take(run: RecordRun): Promise<void> {
    const { follower } = this.#reading;
    for (const record of run.records) {
      const stretch = this.#stretchOf(record);
      if (stretch === undefined) continue;
      const { topic, partition, from, until } = stretch;
      const position = follower.position(topic, partition);
      if (from > (position ?? 0)) await this.#refuseGap(stretch, position);
      // What is below the position came before, from this router or from the one before it.
      if (position !== undefined && until <= position) continue;
      const records = stretch.records
        .filter(({ offset }) => offset >= (position ?? 0))
        .map((routed) => sourceRecord(topic, partition, routed));
      await follower.take({ topic, partition, records, next: until });
    }
    await follower.take({ ...run, records: [] });
  }

  /** undefined for a record that is no stretch of the graph's events: it is passed over, and what it may have held is missed as a gap. */
  #stretchOf(record: SourceRecord): RoutedStretch | undefined {
    const { place, lines } = this.#reading;
    try {
      const stretch = decodeStretch(record.value);
      if (place.eventTopics.includes(stretch.topic)) return stretch;
      throw new ShapeError(`the graph reads no topic ${stretch.topic}`);
    } catch (error) {
      if (!(error instanceof ShapeError)) throw error;
      const { topic, partition, offset } = record;
      const { shard, counts } = place;
      counts.unreadable++;
      lines.error(
        { graph: shard.graph, topic, partition, offset, reason: error.message },
        'a record is passed over',
      );
      return undefined;
    }
  }

  /**
   * A gap is none where the event topic has nothing to fill it with, and the shard was not further before: a shard that reads events
   * itself also begins with the first that are kept.
   */
  async #refuseGap({ topic, partition, from }: RoutedStretch, position: number | undefined): Promise<void> {
    const { log, place, closing } = this.#reading;
    const { graph, index } = place.shard;
    if (position === undefined) {
      const ranges = await patiently(() => log.ranges([topic]), closing);
      const low = ranges.find((range) => range.partition === partition)?.low ?? 0;
      if (from <= low) return;
    }
    throw new FatalError(
      'routed-gap',
      `the events of ${topic}/${partition} from offset ${position ?? 0} to ${from} were not routed to shard ${index} of ${graph}: let the shard read them itself, ` +
        `with graphs.${graph}.routed false and twhin run --graph ${graph} --shard ${index} --until-caught-up; then set it back`,
    );
  }
}

function sourceRecord(
  topic: string,
  partition: number,
  { offset, timestamp, changes }: RoutedRecord,
): SourceRecord {
  return { topic, partition, offset, timestamp, key: null, value: null, content: { changes } };
}
