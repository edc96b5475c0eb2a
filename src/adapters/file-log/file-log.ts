import { RetryableError, reasonOf } from '../../errors/errors.ts';
import type {
  EventLog,
  Follower,
  Following,
  LogAdmin,
  Message,
  Offsets,
  PartitionRange,
  Positions,
  Sink,
  Stretch,
  StretchCursor,
  TopicState,
} from '../../pipeline/ports.ts';
import { agreedIn } from '../agreed.ts';
import { pause } from '../backoff.ts';
import { follow, type RunCursor } from '../follow.ts';
import { keyPartitioner } from '../kafka/producer/partitioner.ts';
import { notHeld, partitionMissing, readerClosed, topicMissing, topicsMissing } from '../log-errors.ts';
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
    for (const log of await openPartitions(this.#dir, topics)) {
      await log.skipTo(Number.POSITIVE_INFINITY);
      ranges.push({ topic: log.topic, partition: log.partition, low: 0, high: log.offset });
    }
    return ranges;
  }

  async offsetsAt(topics: readonly string[], timeMs: number): Promise<Offsets> {
    const offsets: Offsets = {};
    for (const log of await openPartitions(this.#dir, topics)) {
      offsets[log.topic] = { ...offsets[log.topic], [log.partition]: await firstAt(log, timeMs) };
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
      cursors: stretches.map((stretch) => cursorOf(this.#dir, stretch, signal)),
      close: async () => closing.abort(),
    };
  }

  async follow(topics: readonly string[], follower: Follower): Promise<Following> {
    const ranges = await this.ranges(topics);
    if (this.#closing.signal.aborted) throw readerClosed();
    const closing = this.#closing.signal;
    return follow(this, topics, follower, { ranges, lookMs: LOOK_MS, closing, added: () => undefined });
  }

  async agreed(positions: Positions): Promise<Positions> {
    const none = async () => ({ epoch: -1, offset: -1 });
    return agreedIn(await this.ranges(Object.keys(positions)), positions, none);
  }

  async partitionCounts(topics: readonly string[]): Promise<Map<string, number>> {
    const states = await topicsAt(this.#dir, topics);
    return new Map(states.map(({ name, partitions }) => [name, partitions]));
  }

  async close(): Promise<void> {
    this.#closing.abort();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/** The existing ones of the topics, in the order asked. */
async function existing(dir: string, names: readonly string[]): Promise<TopicState[]> {
  const states = await Promise.all(names.map((name) => readTopic(dir, name)));
  return states.filter((state) => state !== undefined);
}

function missingOf(names: readonly string[], states: readonly TopicState[]): string[] {
  return names.filter((name) => !states.some((state) => state.name === name));
}

/** The topics, in the order asked. @throws FatalError naming missing topics. */
async function topicsAt(dir: string, names: readonly string[]): Promise<TopicState[]> {
  const states = await existing(dir, names);
  const missing = missingOf(names, states);
  if (missing.length > 0) throw topicsMissing(missing, `file:${dir}`);
  return states;
}

/** Every partition of the topics, in the order asked, each at its start. @throws FatalError naming missing topics. */
async function openPartitions(dir: string, topics: readonly string[]): Promise<LogPartition[]> {
  return (await topicsAt(dir, topics)).flatMap((state) => partitionsOf(dir, state));
}

function partitionsOf(dir: string, { name, partitions }: TopicState): LogPartition[] {
  return Array.from({ length: partitions }, (_, partition) => new LogPartition(dir, name, partition));
}

/** The first offset dated at `timeMs` or later, or the end. */
async function firstAt(log: LogPartition, timeMs: number): Promise<number> {
  for (;;) {
    const records = await log.read(MAX_RECORDS);
    const found = records.find(({ timestamp }) => timestamp >= timeMs);
    if (found !== undefined || records.length === 0) return found?.offset ?? log.offset;
  }
}

function cursorOf(dir: string, stretch: Stretch, closing: AbortSignal): StretchCursor & RunCursor {
  const { topic, partition, from, until } = stretch;
  let log: LogPartition | undefined;
  const open = async () => {
    const partitions = await openPartitions(dir, [topic]);
    const opened = partitions[partition];
    if (opened === undefined) throw partitionMissing(topic, partition, partitions.length);
    await opened.skipTo(from);
    if (opened.offset < from) throw notHeld(from, { topic, partition, low: 0, high: opened.offset });
    return opened;
  };
  const nextRun = async () => {
    while (!closing.aborted) {
      const left = until - (log?.offset ?? from);
      if (left <= 0) return undefined;
      log ??= await open();
      const records = await log.read(Math.min(left, RUN_RECORDS));
      if (records.length > 0) return { records, next: log.offset };
      await pause(POLL_MS, closing);
    }
    throw readerClosed();
  };
  return { stretch, nextRun, next: async () => (await nextRun())?.records };
}

/** Topics of a file log. Settings are kept but not acted on: nothing is ever compacted or expired. */
export function fileLogAdmin(dir: string): LogAdmin {
  return {
    info: async () => ({ kind: 'file', address: `file:${dir}`, version: 'embedded', nodes: [] }),
    missing: async (names) => missingOf(names, await existing(dir, names)),
    describe: (names) => existing(dir, names),
    create: async (topics) => {
      for (const topic of topics) {
        if ((await readTopic(dir, topic.name)) === undefined) await writeTopic(dir, topic);
      }
    },
    alterConfigs: async (name, configs) => {
      const state = await readTopic(dir, name);
      if (state !== undefined) await writeTopic(dir, { ...state, configs: { ...state.configs, ...configs } });
    },
    close: async () => undefined,
  };
}

interface OpenTopic {
  readonly partitions: readonly LogPartition[];
  readonly choose: ReturnType<typeof keyPartitioner>;
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
    for (const { topic, key, value, headers } of messages) {
      const { partitions, choose } = this.#topics.get(topic) ?? (await this.#open(topic));
      const log = partitions[choose(key, partitions.length)]!;
      const list = byLog.get(log) ?? [];
      byLog.set(log, list);
      list.push({ key, value, headers, timestamp });
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
    if (state === undefined) throw topicMissing(name, `file:${this.#dir}`);
    const topic = { partitions: partitionsOf(this.#dir, state), choose: keyPartitioner() };
    this.#topics.set(name, topic);
    return topic;
  }
}
