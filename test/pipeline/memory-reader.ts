import { setTimeout as sleep } from 'node:timers/promises';
import { agreedIn } from '../../src/adapters/agreed.ts';
import { notHeld, partitionMissing, readerClosed, topicsMissing } from '../../src/adapters/log-errors.ts';
import type {
  EventLog,
  Follower,
  Offsets,
  PartitionRange,
  SourceRecord,
  Stretch,
  StretchCursor,
} from '../../src/pipeline/ports.ts';
import type { Random } from '../../src/sampling/random.ts';
import type { MemoryLog } from './memory-log.ts';

export interface MemoryReaderOptions {
  /** Records to a call of `next`, at most. */
  readonly handOver?: () => number;
  /** Waited for before each hand-over. */
  readonly delay?: () => Promise<void>;
  /** How many partitions a topic has, where that is more than those with records. */
  readonly partitions?: Readonly<Record<string, number>>;
  /** Where a partition begins after retention, by `topic/partition`. */
  readonly lows?: Readonly<Record<string, number>>;
  readonly topicIds?: Readonly<Record<string, string>>;
  /** Every topic has a partition, though it holds no record. */
  readonly anyTopic?: boolean;
  /** Draws the partition that is followed next; without it, records are followed in the order appended. */
  readonly order?: Random;
  /** Called after each run is handed over; false: the follower has no room left. */
  readonly onHandOver?: (room: boolean) => void;
}

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

/** A reader of a log in memory. Offsets may be missing from it, as where a topic is compacted. */
export function memoryReader(log: Pick<MemoryLog, 'records'>, options: MemoryReaderOptions = {}): EventLog {
  const { handOver = () => 7, delay = turn, lows = {} } = options;
  let closed = false;

  const recordsOf = (topic: string, partition: number): SourceRecord[] => {
    const low = lows[`${topic}/${partition}`] ?? 0;
    return log.records.filter(
      (each) => each.topic === topic && each.partition === partition && each.offset >= low,
    );
  };
  const partitionsOf = (topic: string): number => {
    const numbers = log.records.filter((each) => each.topic === topic).map(({ partition }) => partition + 1);
    return Math.max(options.anyTopic ? 1 : 0, options.partitions?.[topic] ?? 0, ...numbers);
  };
  const rangeOf = (topic: string, partition: number): PartitionRange => {
    const records = recordsOf(topic, partition);
    const low = lows[`${topic}/${partition}`] ?? 0;
    return { topic, partition, low, high: (records.at(-1)?.offset ?? low - 1) + 1 };
  };
  const ranges = (topics: readonly string[]): PartitionRange[] => {
    const missing = topics.filter((topic) => partitionsOf(topic) === 0);
    if (missing.length > 0) throw topicsMissing(missing, 'memory');
    return topics.flatMap((topic) =>
      Array.from({ length: partitionsOf(topic) }, (_, partition) => rangeOf(topic, partition)),
    );
  };

  const cursor = (stretch: Stretch, gone: () => boolean): StretchCursor => {
    const { topic, partition, from, until } = stretch;
    let next = from;
    return {
      stretch,
      async next() {
        if (next >= until) return undefined;
        const range = ranges([topic])[partition];
        if (range === undefined) throw partitionMissing(topic, partition, partitionsOf(topic));
        if (next < range.low || next > range.high) throw notHeld(next, range);
        for (;;) {
          await delay();
          if (gone()) throw readerClosed();
          const found = recordsOf(topic, partition)
            .filter(({ offset }) => offset >= next && offset < until)
            .slice(0, Math.max(1, handOver()));
          if (found.length > 0) {
            next = found.at(-1)!.offset + 1;
            return found;
          }
          if (rangeOf(topic, partition).high >= until) {
            next = until;
            return undefined;
          }
          await sleep(1);
        }
      },
    };
  };

  /** Follows in the order appended; a partition that the follower holds up is passed over until it has room. */
  const follow = (topics: readonly string[], follower: Follower, ended: () => boolean): void => {
    const next = new Map<string, number>();
    const held = new Set<string>();
    const reads = ({ topic, partition }: Pick<PartitionRange, 'topic' | 'partition'>) =>
      follower.reads?.(topic, partition) ?? true;
    for (const range of ranges(topics).filter(reads)) {
      const { topic, partition, low, high } = range;
      const position = follower.position(topic, partition)?.offset ?? low;
      if (position < low || position > high) throw notHeld(position, range);
      next.set(nameOf(range), position);
    }
    const isNext = (record: SourceRecord | undefined): boolean => {
      if (record === undefined || !topics.includes(record.topic) || held.has(nameOf(record))) return false;
      if (!reads(record)) return false;
      return record.offset >= (next.get(nameOf(record)) ?? 0);
    };
    /** All before is handed over. */
    let done = 0;
    const nextRun = (most: number): SourceRecord[] => {
      const { records } = log;
      if (options.order) {
        const left = records.filter(isNext);
        const drawn = left[options.order.below(Math.max(1, left.length))];
        return left.filter((each) => nameOf(each) === nameOf(drawn!)).slice(0, most);
      }
      let first = done;
      while (first < records.length && !isNext(records[first])) {
        if (first === done && !held.has(nameOf(records[first]!))) done++;
        first++;
      }
      let end = first;
      while (end < first + most && isNext(records[end])) {
        if (nameOf(records[end]!) !== nameOf(records[first]!)) break;
        end++;
      }
      return records.slice(first, end);
    };
    /** Gives how many records were handed over. */
    const handOverSome = (most: number): number => {
      let left = most;
      while (left > 0 && !ended()) {
        const run = nextRun(left);
        const last = run.at(-1);
        if (last === undefined) break;
        left -= run.length;
        const name = nameOf(last);
        next.set(name, last.offset + 1);
        const { topic, partition } = last;
        const room = follower.take({ topic, partition, records: run, next: last.offset + 1 });
        if (room) {
          held.add(name);
          room.then(
            () => held.delete(name),
            (error: Error) => !ended() && follower.failed(error),
          );
        }
        options.onHandOver?.(!room);
      }
      return most - left;
    };
    const pump = async () => {
      while (!ended()) {
        await delay();
        if (handOverSome(Math.max(1, handOver())) === 0) await sleep(1, undefined, { ref: false });
      }
    };
    pump().catch((error: unknown) => {
      if (!ended()) follower.failed(error instanceof Error ? error : new Error(String(error)));
    });
  };

  return {
    async follow(topics, follower) {
      if (closed) throw readerClosed();
      let ended = false;
      follow(topics, follower, () => closed || ended);
      return {
        close: async () => {
          ended = true;
        },
      };
    },
    ranges: async (topics) => ranges(topics),
    agreed: async (positions) =>
      agreedIn(ranges(Object.keys(positions)), positions, async () => ({ epoch: -1, offset: -1 })),
    async offsetsAt(topics, timeMs) {
      const offsets: Offsets = {};
      for (const { topic, partition, high } of ranges(topics)) {
        const first = recordsOf(topic, partition).find(({ timestamp }) => timestamp >= timeMs);
        offsets[topic] = { ...offsets[topic], [partition]: first?.offset ?? high };
      }
      return offsets;
    },
    topicIds: async (topics) =>
      Object.fromEntries(Object.entries(options.topicIds ?? {}).filter(([topic]) => topics.includes(topic))),
    async read(stretches) {
      let ended = false;
      return {
        cursors: stretches.map((stretch) => cursor(stretch, () => closed || ended)),
        close: async () => {
          ended = true;
        },
      };
    },
    close: async () => {
      closed = true;
    },
  };
}

function nameOf({ topic, partition }: { topic: string; partition: number }): string {
  return `${topic}/${partition}`;
}
