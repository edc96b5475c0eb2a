import { RetryableError, reasonOf } from '../../errors/errors.ts';
import type {
  EventLog,
  Follower,
  Following,
  LogAdmin,
  LogInfo,
  Message,
  Offsets,
  PartitionRange,
  Sink,
  SourceRecord,
  Stretch,
  StretchCursor,
  TopicState,
} from '../../pipeline/ports.ts';
import { pause } from '../backoff.ts';
import { follow, type RunCursor } from '../follow.ts';
import { keyPartitioner } from '../kafka/producer/partitioner.ts';
import { notHeld, partitionMissing, readerClosed, topicsMissing } from '../log-errors.ts';
import { LogPartition, type LogRecord, readTopic, writeTopic } from './partition.ts';

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

  async read(stretches: readonly Stretch[]) {
    const closing = new AbortController();
    const signal = AbortSignal.any([closing.signal, this.#closing.signal]);
    return {
      cursors: stretches.map((stretch) => new FileLogCursor(this.#dir, stretch, signal)),
      close: async () => closing.abort(),
    };
  }

  async follow(topics: readonly string[], follower: Follower): Promise<Following> {
    const ranges = await this.ranges(topics);
    if (this.#closing.signal.aborted) throw readerClosed();
    const closing = this.#closing.signal;
    return follow(this, topics, follower, { ranges, lookMs: LOOK_MS, closing, added: () => undefined });
  }

  async partitionCounts(topics: readonly string[]): Promise<Map<string, number>> {
    const all = await openPartitions(this.#dir, topics);
    return new Map(
      Array.from(
        Map.groupBy(all, ({ topic }) => topic),
        ([topic, of]) => [topic, of.length],
      ),
    );
  }

  async close(): Promise<void> {
    this.#closing.abort();
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

class FileLogCursor implements StretchCursor, RunCursor {
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
    return (await this.nextRun())?.records;
  }

  async nextRun(): Promise<{ records: SourceRecord[]; next: number } | undefined> {
    const { from, until } = this.stretch;
    while (!this.#closing.aborted) {
      const left = until - (this.#log?.offset ?? from);
      if (left <= 0) return undefined;
      this.#log ??= await this.#open();
      const records = await this.#log.read(Math.min(left, RUN_RECORDS));
      if (records.length > 0) return { records, next: this.#log.offset };
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

/** Topics of a file log. Settings are kept but not acted on: nothing is ever compacted or expired. */
export class FileLogAdmin implements LogAdmin {
  readonly #dir: string;

  constructor(dir: string) {
    this.#dir = dir;
  }

  async info(): Promise<LogInfo> {
    return { kind: 'file', address: `file:${this.#dir}`, version: 'embedded', nodes: [] };
  }

  async missing(names: readonly string[]): Promise<string[]> {
    const there = new Set((await this.describe(names)).map(({ name }) => name));
    return names.filter((name) => !there.has(name));
  }

  async describe(names: readonly string[]): Promise<TopicState[]> {
    const states = await Promise.all(names.map((name) => readTopic(this.#dir, name)));
    return states.filter((state) => state !== undefined);
  }

  async create(topics: readonly TopicState[]): Promise<void> {
    for (const { name, partitions, configs } of topics) {
      if ((await readTopic(this.#dir, name)) === undefined) {
        await writeTopic(this.#dir, { name, partitions, configs });
      }
    }
  }

  async alterConfigs(name: string, configs: Readonly<Record<string, string>>): Promise<void> {
    const state = await readTopic(this.#dir, name);
    if (state !== undefined) {
      await writeTopic(this.#dir, { ...state, configs: { ...state.configs, ...configs } });
    }
  }

  async close(): Promise<void> {}
}

interface OpenTopic {
  readonly partitions: readonly LogPartition[];
  readonly choose: (message: Message) => number;
}

/** Appends to a file log; a key goes to the partition that Kafka would put it in. */
export class FileLogSink implements Sink {
  readonly #dir: string;
  readonly #topics = new Map<string, OpenTopic>();
  /** Publishes run one after the other, which keeps the order within a key. */
  #tail: Promise<void> = Promise.resolve();

  constructor(dir: string) {
    this.#dir = dir;
  }

  publish(messages: readonly Message[]): Promise<void> {
    const done = this.#tail.then(() => this.#append(messages));
    this.#tail = done.catch(() => undefined);
    return done;
  }

  async takeOver(): Promise<void> {}

  async stop(): Promise<void> {
    await this.#tail;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  async #append(messages: readonly Message[]): Promise<void> {
    const timestamp = Date.now();
    const byLog = new Map<LogPartition, LogRecord[]>();
    for (const message of messages) {
      const topic = this.#topics.get(message.topic) ?? (await this.#open(message.topic));
      const log = topic.partitions[topic.choose(message)]!;
      const list = byLog.get(log) ?? [];
      byLog.set(log, list);
      list.push({ ...message, timestamp });
    }
    try {
      await Promise.all([...byLog].map(([log, records]) => log.append(records)));
    } catch (error) {
      const reason = `${messages.length} messages could not be appended under ${this.#dir}: ${reasonOf(error)}`;
      throw new RetryableError('not-appended', reason, { cause: error });
    }
  }

  async #open(name: string): Promise<OpenTopic> {
    const state = await readTopic(this.#dir, name);
    if (state === undefined) {
      const message = `no topic ${name} at file:${this.#dir}; create it with: twhin topics apply`;
      throw new RetryableError('topic-missing', message);
    }
    const choose = keyPartitioner();
    const topic: OpenTopic = {
      partitions: Array.from({ length: state.partitions }, (_, n) => new LogPartition(this.#dir, name, n)),
      choose: ({ key }) => choose(key, state.partitions),
    };
    this.#topics.set(name, topic);
    return topic;
  }
}
