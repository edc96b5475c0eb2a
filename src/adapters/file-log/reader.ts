import type {
  LogReader,
  Offsets,
  PartitionRange,
  SourceRecord,
  Stretch,
  StretchCursor,
  StretchReading,
} from '../../pipeline/ports.ts';
import { pause } from '../backoff.ts';
import { notHeld, partitionMissing, readerClosed } from '../log-errors.ts';
import type { LogPartition } from './file-log.ts';
import { openPartitions } from './partitions.ts';

/** More than a block of the file holds: a block is what one `next` gives at most. */
const MAX_RECORDS = 1 << 20;
/** The longest a new record waits to be seen. */
const POLL_MS = 25;

/** Reads parts of a file log. Nothing is read ahead, and no offset is ever missing. */
export class FileLogReader implements LogReader {
  readonly #dir: string;
  readonly #closing = new AbortController();

  constructor(dir: string) {
    this.#dir = dir;
  }

  async ranges(topics: readonly string[]): Promise<PartitionRange[]> {
    const ranges: PartitionRange[] = [];
    for (const { topic, partition, log } of await openPartitions(this.#dir, topics)) {
      await log.skipTo(Number.POSITIVE_INFINITY);
      ranges.push({ topic, partition, low: 0, high: log.offset });
    }
    return ranges;
  }

  async offsetsAt(topics: readonly string[], timeMs: number): Promise<Offsets> {
    const offsets: Offsets = {};
    for (const { topic, partition, log } of await openPartitions(this.#dir, topics)) {
      offsets[topic] = { ...offsets[topic], [partition]: await firstAt(log, timeMs) };
    }
    return offsets;
  }

  async topicIds(): Promise<Record<string, string>> {
    return {};
  }

  async read(stretches: readonly Stretch[]): Promise<StretchReading> {
    const closing = new AbortController();
    const signal = AbortSignal.any([closing.signal, this.#closing.signal]);
    return {
      cursors: stretches.map((stretch) => new FileLogCursor(this.#dir, stretch, signal)),
      close: async () => closing.abort(),
    };
  }

  async close(): Promise<void> {
    this.#closing.abort();
  }
}

/** The first offset dated at `timeMs` or later, or the end. */
async function firstAt(log: LogPartition, timeMs: number): Promise<number> {
  for (;;) {
    const records = await log.read(MAX_RECORDS);
    const found = records.find(({ timestamp }) => timestamp >= timeMs);
    if (found !== undefined || records.length === 0) {
      return found?.offset ?? log.offset;
    }
  }
}

class FileLogCursor implements StretchCursor {
  readonly stretch: Stretch;
  readonly #dir: string;
  readonly #closing: AbortSignal;
  #log: LogPartition | undefined;

  constructor(dir: string, stretch: Stretch, closing: AbortSignal) {
    this.#dir = dir;
    this.stretch = stretch;
    this.#closing = closing;
  }

  async next(): Promise<SourceRecord[] | undefined> {
    const { from, until } = this.stretch;
    while (!this.#closing.aborted) {
      const left = until - (this.#log?.offset ?? from);
      if (left <= 0) {
        return undefined;
      }
      this.#log ??= await this.#open();
      const records = await this.#log.read(Math.min(left, MAX_RECORDS));
      if (records.length > 0) {
        return records;
      }
      await pause(POLL_MS, this.#closing);
    }
    throw readerClosed();
  }

  async #open(): Promise<LogPartition> {
    const { topic, partition, from } = this.stretch;
    const partitions = await openPartitions(this.#dir, [topic]);
    const log = partitions[partition]?.log;
    if (log === undefined) {
      throw partitionMissing(topic, partition, partitions.length);
    }
    await log.skipTo(from);
    if (log.offset < from) {
      throw notHeld(from, { topic, partition, low: 0, high: log.offset });
    }
    return log;
  }
}
