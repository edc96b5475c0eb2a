import type {
  Committed,
  LogReader,
  Offsets,
  Source,
  SourceReader,
  SourceRecord,
  Stretch,
  StretchReading,
} from '../pipeline/ports.ts';
import { Positions } from '../pipeline/reading/positions.ts';
import { Merge } from './merge.ts';

/** Records handed over at once, where no limit asks for fewer: between two of them the process may do other things. */
const HAND_OVER = 256;

/** Something that may go only so fast. */
export interface Limit {
  /** Records to hand over between two questions, at most. */
  readonly records: number;
  /** How long to wait after handing over `records`, in ms. */
  waitMs(records: number): number;
}

export interface MergedSourceOptions {
  readonly reader: LogReader;
  /** The whole range; what the updater's store has read of it already is left out. */
  readonly stretches: readonly Stretch[];
  readonly topicIds: Readonly<Record<string, string>>;
  /** Puts the content into a record. */
  read(record: SourceRecord): SourceRecord;
  readonly limits: readonly Limit[];
}

/** A range of a log as a source: its partitions merged into one order, ending where the range does. It has no group. */
export class MergedSource implements Source {
  readonly #options: MergedSourceOptions;
  /** Up to where each partition was handed over. */
  readonly #reached = new Positions();
  #reading: StretchReading | undefined;
  #running: Promise<void> | undefined;
  #stopped = false;
  #wake: (() => void) | undefined;

  constructor(options: MergedSourceOptions) {
    this.#options = options;
    for (const { topic, partition, from } of options.stretches) {
      this.#reached.advance(topic, partition, from);
    }
  }

  /** Offset up to which a partition was handed over. */
  reached({ topic, partition, from }: Stretch): number {
    return this.#reached.get(topic, partition) ?? from;
  }

  async ends(): Promise<Offsets> {
    const ends: Offsets = {};
    for (const { topic, partition, until } of this.#options.stretches) {
      ends[topic] = { ...ends[topic], [partition]: until };
    }
    return ends;
  }

  async start(reader: SourceReader): Promise<void> {
    if (this.#stopped) return;
    const left: Stretch[] = [];
    for (const stretch of this.#options.stretches) {
      const from = reader.position(stretch.topic, stretch.partition) ?? stretch.from;
      this.#reached.advance(stretch.topic, stretch.partition, from);
      if (from < stretch.until) left.push({ ...stretch, from });
      else reader.skipped?.(stretch.topic, stretch.partition, stretch.until);
    }
    this.#reading = await this.#options.reader.read(left);
    this.#running = this.#run(reader, new Merge(this.#reading.cursors, this.#options.read));
  }

  resume(): void {
    this.#wake?.();
  }

  /** Nobody else asks where a replay stands. */
  async commit(): Promise<void> {}

  async committed(): Promise<Committed> {
    return { offsets: {} };
  }

  async topicIds(): Promise<Readonly<Record<string, string>>> {
    return this.#options.topicIds;
  }

  /** It belongs to no group: the store's lock alone makes it the one writer. */
  async confirm(): Promise<void> {}

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#wake?.();
    await this.#reading?.close();
    await this.#running;
  }

  async #run(reader: SourceReader, merge: Merge): Promise<void> {
    try {
      while (!this.#stopped && (await this.#handOver(reader, merge)));
    } catch (error) {
      if (!this.#stopped) reader.failed(error instanceof Error ? error : new Error(String(error)));
    }
  }

  /** False at the range's end. */
  async #handOver(reader: SourceReader, merge: Merge): Promise<boolean> {
    const { limits } = this.#options;
    const { records, ended } = await merge.take(Math.min(HAND_OVER, ...limits.map((limit) => limit.records)));
    if (this.#stopped) return false;
    const room = records.length === 0 || reader.accept(records);
    for (const { topic, partition, offset } of records) this.#reached.advance(topic, partition, offset + 1);
    for (const { topic, partition, until } of ended) {
      reader.skipped?.(topic, partition, until);
      this.#reached.advance(topic, partition, until);
    }
    if (records.length === 0) return false;
    if (!room) await this.#woken();
    const waitMs = Math.max(0, ...limits.map((limit) => limit.waitMs(records.length)));
    if (waitMs > 0) await this.#woken(waitMs);
    return true;
  }

  /** Waits for `resume` or `stop`, or for `waitMs` at most. */
  async #woken(waitMs?: number): Promise<void> {
    if (this.#stopped) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = waitMs === undefined ? undefined : setTimeout(resolve, waitMs);
    this.#wake = resolve;
    await promise;
    clearTimeout(timer);
    this.#wake = undefined;
  }
}
