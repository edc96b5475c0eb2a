import { setTimeout as sleep } from 'node:timers/promises';
import { notHeld, partitionMissing, readerClosed, topicsMissing } from '../../src/adapters/log-errors.ts';
import type {
  LogReader,
  Offsets,
  PartitionRange,
  SourceRecord,
  Stretch,
  StretchCursor,
} from '../../src/pipeline/ports.ts';
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
}

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

/** A reader of a log in memory. Offsets may be missing from it, as where a topic is compacted. */
export function memoryReader(log: Pick<MemoryLog, 'records'>, options: MemoryReaderOptions = {}): LogReader {
  const { handOver = () => 7, delay = turn, lows = {}, topicIds = {} } = options;
  let closed = false;

  const recordsOf = (topic: string, partition: number): SourceRecord[] => {
    const low = lows[`${topic}/${partition}`] ?? 0;
    return log.records.filter(
      (each) => each.topic === topic && each.partition === partition && each.offset >= low,
    );
  };
  const partitionsOf = (topic: string): number => {
    const numbers = log.records.filter((each) => each.topic === topic).map(({ partition }) => partition + 1);
    return Math.max(0, options.partitions?.[topic] ?? 0, ...numbers);
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

  return {
    ranges: async (topics) => ranges(topics),
    async offsetsAt(topics, timeMs) {
      const offsets: Offsets = {};
      for (const { topic, partition, high } of ranges(topics)) {
        const first = recordsOf(topic, partition).find(({ timestamp }) => timestamp >= timeMs);
        offsets[topic] = { ...offsets[topic], [partition]: first?.offset ?? high };
      }
      return offsets;
    },
    topicIds: async (topics) =>
      Object.fromEntries(Object.entries(topicIds).filter(([topic]) => topics.includes(topic))),
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
