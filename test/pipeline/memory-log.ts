import type {
  Message,
  Offsets,
  Sink,
  Source,
  SourceReader,
  SourceRecord,
  WriterNote,
} from '../../src/pipeline/ports.ts';

/** A log in memory: what was appended, by topic and partition. Outlives the updaters that read it. */
export class MemoryLog {
  readonly records: SourceRecord[] = [];
  readonly published: Message[] = [];
  readonly committed: Offsets[] = [];
  note: WriterNote | undefined;
  topicIds: Record<string, string> = {};
  /** Called after each hand-over; false: the reader had no room left. */
  onHandOver: (room: boolean) => void = () => {};

  append(topic: string, value: unknown, options: { partition?: number; timestamp?: number } = {}): void {
    const { partition = 0, timestamp = Date.UTC(2030, 0) } = options;
    const offset = this.records.filter((each) => each.topic === topic && each.partition === partition).length;
    const bytes = value === null ? null : Buffer.isBuffer(value) ? value : Buffer.from(JSON.stringify(value));
    this.records.push({ topic, partition, offset, timestamp, key: null, value: bytes });
  }

  /** A reader from the stored positions on. handOver: records to a call of `accept`. */
  source(handOver = 7): Source & { stopped: boolean } {
    const log = this;
    let reader: SourceReader | undefined;
    let next = 0;
    let pumping = false;
    const pump = async () => {
      if (pumping) return;
      pumping = true;
      while (reader !== undefined && !source.stopped && next < log.records.length) {
        const records = log.records
          .slice(next, next + handOver)
          .filter((each) => each.offset >= (reader?.position(each.topic, each.partition) ?? 0));
        next += handOver;
        if (records.length > 0) {
          const room = reader.accept(records);
          log.onHandOver(room);
          if (!room) break;
        }
        await new Promise((resolve) => setImmediate(resolve));
      }
      pumping = false;
    };
    const source = {
      stopped: false,
      async ends() {
        const ends: Offsets = {};
        for (const { topic, partition, offset } of log.records) {
          ends[topic] = { ...ends[topic], [partition]: offset + 1 };
        }
        return ends;
      },
      async start(given: SourceReader) {
        reader = given;
        void pump();
      },
      resume: () => void pump(),
      async commit(offsets: Offsets, note?: WriterNote) {
        log.committed.push(offsets);
        log.note = note;
      },
      confirm: async () => {},
      committed: async () => ({ offsets: log.committed.at(-1) ?? {}, ...(log.note && { note: log.note }) }),
      topicIds: async () => log.topicIds,
      async stop() {
        source.stopped = true;
      },
    };
    return source;
  }

  sink(): Sink {
    return {
      publish: async (messages) => void this.published.push(...messages),
      takeOver: async () => {},
      stop: async () => {},
    };
  }

  /** What was published to a topic, as its one partition's records. */
  recordsOf(topic: string): SourceRecord[] {
    return this.published
      .filter((message) => message.topic === topic)
      .map(({ key, value, headers }, offset) => ({
        ...{ topic, partition: 0, offset, timestamp: 0 },
        key: Buffer.from(String(key)),
        value: value && Buffer.from(value),
        headers: Object.fromEntries(Object.entries(headers).map(([name, text]) => [name, Buffer.from(text)])),
      }));
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
