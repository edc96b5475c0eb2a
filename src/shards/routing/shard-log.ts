import { LogRefusal, RetryableError, ShapeError, wayOn } from '../../errors/errors.ts';
import type { Log } from '../../log.ts';
import { patiently } from '../../pipeline/patience.ts';
import type {
  EventLog,
  FollowedLog,
  Follower,
  Following,
  PartitionRange,
  Position,
  RecordRun,
  SourceRecord,
} from '../../pipeline/ports.ts';
import { eachRecord } from '../../pipeline/reading/bounded.ts';
import { readContent } from '../../pipeline/reading/record-content.ts';
import { concernedShards, type RoutedGraph } from './share-router.ts';
import { decodeStretch, type RoutedRecord, type RoutedStretch } from './stretch.ts';

/** Where a shard reads. */
export interface ShardPlace extends RoutedGraph {
  readonly index: number;
  /** Full name of the topic in which the shards send each other parcels. */
  readonly exchangeTopic: string;
}

/** Who gets the events, until it is closed. */
interface Receiver {
  readonly follower: Follower;
  readonly ended: AbortSignal;
}

type ShardedLog = Pick<EventLog, 'ranges' | 'topicIds' | 'follow' | 'read' | 'agreed' | 'close'>;

/**
 * A log as one shard sees it: its own partition of the exchange topic and of the edges topic, and no event topic. Routed events are
 * handed over under the topic, partition and offset of their records, so that a store says how far it has the event topics. What
 * no router sent, or the edges topic no longer holds, is read from the event topic: each event is handed over once, in order.
 */
export class ShardLog implements FollowedLog {
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
    const to: Receiver = { follower, ended: AbortSignal.any([ending.signal, this.#closing.signal]) };
    const [routed] = await patiently(() => this.ranges([edgesTopic]), to.ended);
    const following = await this.#log.follow(
      names.filter((topic) => !topics.has(topic)),
      {
        // What retention took of the edges topic shows as a gap in the offsets of the events.
        position: (topic, partition) => {
          const position = follower.position(topic, partition);
          const low = routed?.low ?? 0;
          return topic === edgesTopic && position !== undefined && position.offset < low
            ? { offset: low }
            : position;
        },
        reads: (topic, partition) =>
          this.#reads(topic, partition) && (follower.reads?.(topic, partition) ?? true),
        take: (run) => (run.topic === edgesTopic ? this.#unpack(run, to) : follower.take(run)),
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

  /**
   * Hands over routed stretches as runs of the event topics.
   * @throws RetryableError `stopped`; LogRefusal where the event topic does not hold a gap any more, or lost records that the shard has.
   */
  async #unpack(run: RecordRun, to: Receiver): Promise<void> {
    for (const record of run.records) {
      const stretch = this.#stretchOf(record);
      if (stretch === undefined) continue;
      const { topic, partition, from, until, epoch } = stretch;
      const position = to.follower.position(topic, partition);
      const begin = position ?? { offset: Math.min(from, await this.#lowOf(stretch, to)) };
      // Routed again in a newer epoch, the offsets that the shard has may be those of other records.
      if (from < begin.offset && (epoch ?? -1) > (begin.epoch ?? epoch ?? -1))
        await this.#refuseLost(stretch, begin);
      if (begin.offset < from) await this.#fill(stretch, begin, to);
      // What is below the position came before, from this router or from the one before it.
      else if (position !== undefined && until <= position.offset) continue;
      const records = stretch.records
        .filter(({ offset }) => offset >= begin.offset)
        .map((routed) => sourceRecord(topic, partition, routed));
      await hand({ topic, partition, records, next: until, epoch }, to);
    }
    await hand({ ...run, records: [] }, to);
  }

  /** undefined for a record that is no stretch of the graph's events. What it may have held is missed as a gap. */
  #stretchOf({ topic, partition, offset, value }: SourceRecord): RoutedStretch | undefined {
    const { graph, topics } = this.#place;
    try {
      const stretch = decodeStretch(value);
      if (topics.has(stretch.topic)) return stretch;
      throw new ShapeError(`the graph reads no topic ${stretch.topic}`);
    } catch (error) {
      if (!(error instanceof ShapeError)) throw error;
      const reason = error.message;
      this.#lines.error({ graph, topic, partition, offset, reason }, 'a record is passed over');
      return undefined;
    }
  }

  /**
   * Reads from the event topic what no stretch brought: from the shard's own offset up to where the stretch begins. Dead letters of it
   * are the routers'.
   */
  async #fill(stretch: RoutedStretch, { offset: from, epoch }: Position, to: Receiver): Promise<void> {
    const { topic, partition, from: until } = stretch;
    const { graph, index, topics, limits } = this.#place;
    this.#lines.warn(
      { graph, shard: index, topic, partition, from, until },
      'events that no router sent are read from their topic',
    );
    await eachRecord(this.#log, [{ topic, partition, from, until, epoch }], async (records) => {
      const own = records.flatMap((record) => {
        const { changes } = readContent(record, topics, limits);
        const concerning = concernedShards(changes, this.#place).get(index);
        return concerning ? [sourceRecord(topic, partition, { ...record, changes: concerning })] : [];
      });
      await hand({ topic, partition, records: own, next: records.at(-1)!.offset + 1 }, to);
    });
  }

  /** @throws LogRefusal `log-diverged` where the event topic lost records before the position. */
  async #refuseLost({ topic, partition }: RoutedStretch, position: Position): Promise<void> {
    const { offset, epoch } = position;
    const agreed = (await this.#log.agreed({ [topic]: { [partition]: position } }))[topic]?.[partition];
    if (agreed === undefined || agreed.offset >= offset) return;
    const message =
      `this shard has ${topic}/${partition} up to offset ${offset} of leader epoch ${epoch}, and the log has the same records up to offset ${agreed.offset} alone: the brokers lost ` +
      `the end of the log. ${wayOn(topic)}`;
    throw new LogRefusal('log-diverged', topic, message);
  }

  async #lowOf({ topic, partition, from }: RoutedStretch, { ended }: Receiver): Promise<number> {
    if (from === 0) return 0;
    const ranges = await patiently(() => this.#log.ranges([topic]), ended);
    return ranges.find((range) => range.partition === partition)?.low ?? 0;
  }
}

/** Nothing is handed over after the end. */
async function hand(run: RecordRun, { follower, ended }: Receiver): Promise<void> {
  if (ended.aborted) throw new RetryableError('stopped', 'the shard stopped while it was handed events');
  await follower.take(run);
}

function sourceRecord(
  topic: string,
  partition: number,
  { offset, timestamp, changes }: RoutedRecord,
): SourceRecord {
  return { topic, partition, offset, timestamp, key: null, value: null, content: { changes } };
}
