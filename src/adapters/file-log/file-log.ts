import { FatalError, reasonOf } from '../../errors/errors.ts';
import type {
  EventLog,
  Follower,
  Following,
  Offsets,
  PartitionRange,
  SourceRecord,
  Stretch,
  StretchCursor,
  StretchReading,
} from '../../pipeline/ports.ts';
import { pause } from '../backoff.ts';
import { notHeld, outsideOfLog, partitionMissing, readerClosed, topicsMissing } from '../log-errors.ts';
import { LogPartition, readTopic } from './partition.ts';

/** Maximum records of a run; a block of the file may hold fewer. */
const RUN_RECORDS = 500;
/** More records than a block of the file holds: a cursor gives at most a block. */
const MAX_RECORDS = 1 << 20;
/** Interval of looking for new records, and of looking for added partitions. */
const POLL_MS = 25;
const LOOK_MS = 1_000;

/** Reads a file log. Nothing is read ahead, and no offset is ever missing. */
export class FileLog implements EventLog {
  readonly #dir: string;
  readonly #closing = new AbortController();
  readonly #followings = new Set<Following>();

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

  async follow(topics: readonly string[], follower: Follower): Promise<Following> {
    if (this.#closing.signal.aborted) throw readerClosed();
    const following = new FileLogFollowing(this.#dir, topics, follower);
    await following.begin();
    if (this.#closing.signal.aborted) {
      await following.close();
      throw readerClosed();
    }
    this.#followings.add(following);
    return following;
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await Promise.all([...this.#followings].map((following) => following.close()));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/** A partition and its file. */
interface OpenPartition {
  readonly topic: string;
  readonly partition: number;
  readonly log: LogPartition;
}

/** Every partition of the topics, in the order asked, each at its start. @throws FatalError naming missing topics. */
async function openPartitions(dir: string, topics: readonly string[]): Promise<OpenPartition[]> {
  const states = await Promise.all(topics.map((topic) => readTopic(dir, topic)));
  const missing = topics.filter((_, index) => states[index] === undefined);
  if (missing.length > 0) throw topicsMissing(missing, `file:${dir}`);
  return states.flatMap((state) =>
    Array.from({ length: state?.partitions ?? 0 }, (_, partition) => {
      const topic = state?.name ?? '';
      return { topic, partition, log: new LogPartition(dir, topic, partition) };
    }),
  );
}

/** The first offset dated at `timeMs` or later, or the end. */
async function firstAt(log: LogPartition, timeMs: number): Promise<number> {
  for (;;) {
    const records = await log.read(MAX_RECORDS);
    const found = records.find(({ timestamp }) => timestamp >= timeMs);
    if (found !== undefined || records.length === 0) return found?.offset ?? log.offset;
  }
}

/** Topics being followed. Each partition has a loop of its own, so that back-pressure holds up that partition only. */
class FileLogFollowing implements Following {
  readonly #dir: string;
  readonly #topics: readonly string[];
  readonly #follower: Follower;
  readonly #closing = new AbortController();
  readonly #closed = Promise.withResolvers<void>();
  /** Number of partitions read, by topic. */
  readonly #known = new Map<string, number>();
  readonly #loops: Promise<void>[] = [];

  constructor(dir: string, topics: readonly string[], follower: Follower) {
    this.#dir = dir;
    this.#topics = topics;
    this.#follower = follower;
  }

  /** @throws FatalError as `follow` does. */
  async begin(): Promise<void> {
    const partitions = await openPartitions(this.#dir, this.#topics);
    for (const each of partitions) await this.#position(each);
    for (const each of partitions) this.#start(each);
    this.#loops.push(this.#guarded(() => this.#lookForPartitions()));
  }

  async close(): Promise<void> {
    this.#closing.abort();
    this.#closed.resolve();
    await Promise.all(this.#loops);
  }

  async #position({ topic, partition, log }: OpenPartition): Promise<void> {
    if (this.#follower.reads?.(topic, partition) === false) return;
    const position = this.#follower.position(topic, partition);
    if (position === undefined) return;
    await log.skipTo(position);
    if (log.offset < position) {
      throw outsideOfLog(position, { topic, partition, low: 0, high: log.offset });
    }
  }

  #start({ topic, partition, log }: OpenPartition): void {
    this.#known.set(topic, Math.max(this.#known.get(topic) ?? 0, partition + 1));
    if (this.#follower.reads?.(topic, partition) === false) return;
    this.#loops.push(this.#guarded(() => this.#read(topic, partition, log)));
  }

  async #read(topic: string, partition: number, log: LogPartition): Promise<void> {
    const { signal } = this.#closing;
    while (!signal.aborted) {
      const records = await log.read(RUN_RECORDS);
      if (signal.aborted) return;
      if (records.length === 0) await pause(POLL_MS, signal);
      else {
        const taken = this.#follower.take({ topic, partition, records, next: log.offset });
        if (taken) await Promise.race([taken, this.#closed.promise]);
      }
    }
  }

  async #lookForPartitions(): Promise<void> {
    const { signal } = this.#closing;
    for (;;) {
      await pause(LOOK_MS, signal);
      if (signal.aborted) return;
      const partitions = await openPartitions(this.#dir, this.#topics);
      for (const each of partitions) {
        if (each.partition < (this.#known.get(each.topic) ?? 0)) continue;
        await this.#position(each);
        this.#start(each);
      }
    }
  }

  async #guarded(loop: () => Promise<void>): Promise<void> {
    try {
      await loop();
    } catch (error) {
      if (this.#closing.signal.aborted) return;
      const failure = error instanceof Error ? error : new FatalError('file', reasonOf(error));
      this.#follower.failed(failure);
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
      if (left <= 0) return undefined;
      this.#log ??= await this.#open();
      const records = await this.#log.read(Math.min(left, MAX_RECORDS));
      if (records.length > 0) return records;
      await pause(POLL_MS, this.#closing);
    }
    throw readerClosed();
  }

  async #open(): Promise<LogPartition> {
    const { topic, partition, from } = this.stretch;
    const partitions = await openPartitions(this.#dir, [topic]);
    const log = partitions[partition]?.log;
    if (log === undefined) throw partitionMissing(topic, partition, partitions.length);
    await log.skipTo(from);
    if (log.offset < from) throw notHeld(from, { topic, partition, low: 0, high: log.offset });
    return log;
  }
}
