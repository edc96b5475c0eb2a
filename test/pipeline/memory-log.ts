import { offsetsOf } from '../../src/graph/head.ts';
import type {
  EventLog,
  Leadership,
  Message,
  Offsets,
  Sink,
  SourceRecord,
  WriterNote,
} from '../../src/pipeline/ports.ts';
import { type MemoryReaderOptions, memoryReader } from './memory-reader.ts';

/** A log in memory: what was appended, by topic and partition. Outlives the updaters that read it. */
export class MemoryLog {
  readonly records: SourceRecord[] = [];
  readonly published: Message[] = [];
  /** What `recordsOf` made of the first `looked` of them. No private field: objects that inherit from a log call it. */
  readonly asRecords = new Map<string, { readonly records: SourceRecord[]; readonly looked: number }>();
  readonly committed: Offsets[] = [];
  note: WriterNote | undefined;
  topicIds: Record<string, string> = {};
  /** Awaited before a port does what it is asked: the test's word, a failure, or a delay. */
  before: {
    join?: () => Promise<void>;
    confirm?: () => Promise<void>;
    commit?: () => Promise<void>;
    leave?: () => Promise<void>;
    publish?: (messages: readonly Message[]) => Promise<void> | void;
  } = {};
  /** Called after each hand-over; false: the reader had no room left. */
  onHandOver: (room: boolean) => void = () => {};

  append(topic: string, value: unknown, options: { partition?: number; timestamp?: number } = {}): void {
    const { partition = 0, timestamp = Date.UTC(2030, 0) } = options;
    const offset = this.records.filter((each) => each.topic === topic && each.partition === partition).length;
    const bytes = value === null ? null : Buffer.isBuffer(value) ? value : Buffer.from(JSON.stringify(value));
    this.records.push({ topic, partition, offset, timestamp, key: null, value: bytes });
  }

  /** The log as one process reads it. */
  eventLog(options: MemoryReaderOptions = {}): EventLog {
    const log = this;
    return memoryReader(this, {
      ...options,
      anyTopic: true,
      onHandOver: (room) => log.onHandOver(room),
      get topicIds() {
        return log.topicIds;
      },
    });
  }

  /** Leadership that every process has at once. */
  leadership(): Leadership {
    return {
      join: async () => this.before.join?.(),
      commit: async (positions, note) => {
        await this.before.commit?.();
        this.committed.push(offsetsOf(positions));
        this.note = note;
      },
      confirm: async () => this.before.confirm?.(),
      committed: async () => ({
        offsets: this.committed.at(-1) ?? {},
        ...(this.note && { note: this.note }),
      }),
      stop: async () => this.before.leave?.(),
    };
  }

  sink(): Sink {
    return {
      publish: async (messages) => {
        await this.before.publish?.(messages);
        this.published.push(...messages.map(keptOf));
      },
      takeOver: async () => {},
      stop: async () => {},
    };
  }

  /** What was published to a topic, as its one partition's records. */
  recordsOf(topic: string): readonly SourceRecord[] {
    const before = this.asRecords.get(topic);
    // A test may have emptied the list.
    const fits = before !== undefined && before.looked <= this.published.length;
    const { records, looked } = fits ? before : { records: [], looked: 0 };
    for (const message of this.published.slice(looked))
      if (message.topic === topic) records.push(recordOf(message, { offset: records.length }));
    this.asRecords.set(topic, { records, looked: this.published.length });
    return records;
  }

  /** What a reader who keeps the last value of each key has. */
  folded(topic: string): Map<string, Buffer> {
    const latest = new Map<string, Buffer>();
    for (const message of this.published) {
      if (message.topic !== topic) continue;
      if (message.value === null) latest.delete(String(message.key));
      else latest.set(String(message.key), Buffer.from(message.value));
    }
    return latest;
  }
}

/** A message with memory of its own: a publisher uses it again. */
export function keptOf({ topic, key, value, headers }: Message): Message {
  return { topic, key, value: value && Buffer.from(value), headers };
}

/** A message as it is read. */
export function recordOf(
  { topic, key, value, headers }: Message,
  { partition = 0, offset, timestamp = 0 }: { partition?: number; offset: number; timestamp?: number },
): SourceRecord {
  return {
    ...{ topic, partition, offset, timestamp },
    key: Buffer.from(String(key)),
    value: value && Buffer.from(value),
    headers: Object.fromEntries(Object.entries(headers).map(([name, text]) => [name, Buffer.from(text)])),
  };
}
