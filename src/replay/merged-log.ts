import type {
  EventLog,
  FollowedLog,
  Follower,
  Following,
  Partition,
  PartitionRange,
  RecordRun,
  SourceRecord,
  Stretch,
  StretchReading,
} from '../pipeline/ports.ts';
import { type Merged, merging } from './merge.ts';
import { partitionName } from './range.ts';

/** Records handed over at once: between two hand-overs the process may do other things. */
const HAND_OVER = 256;

export interface MergedLogOptions {
  /** The log that is merged. Whoever made it closes it. */
  readonly log: Pick<EventLog, 'read'>;
  /** The whole range; the part that the updater's store has read already is left out. */
  readonly stretches: readonly Stretch[];
  readonly topicIds: Readonly<Record<string, string>>;
  /** Puts the content into a record. */
  read(record: SourceRecord): SourceRecord;
}

/** A range of a log, its partitions merged into one order. It ends where the range does, and has one follower. */
export class MergedLog implements FollowedLog {
  readonly #options: MergedLogOptions;
  /** Up to where each partition was handed over, by its name. */
  readonly #reached = new Map<string, number>();
  /** Ends the wait for room. */
  #release = () => {};
  #closing = false;
  #reading: StretchReading | undefined;
  #running: Promise<void> | undefined;

  constructor(options: MergedLogOptions) {
    this.#options = options;
  }

  /** Offset up to which a partition was handed over. */
  reached(stretch: Stretch): number {
    return this.#reached.get(partitionName(stretch)) ?? stretch.from;
  }

  async ranges(): Promise<PartitionRange[]> {
    return this.#options.stretches.map(({ topic, partition, from, until }) => ({
      topic,
      partition,
      low: from,
      high: until,
    }));
  }

  async topicIds(): Promise<Readonly<Record<string, string>>> {
    return this.#options.topicIds;
  }

  async follow(_: readonly string[], follower: Follower): Promise<Following> {
    const left: Stretch[] = [];
    const read: RecordRun[] = [];
    for (const stretch of this.#options.stretches) {
      const { topic, partition, until } = stretch;
      const { offset: from, epoch } = follower.position(topic, partition) ?? {
        offset: stretch.from,
        epoch: stretch.epoch,
      };
      this.#reached.set(partitionName(stretch), from);
      if (from < until) left.push({ ...stretch, from, epoch });
      else read.push({ topic, partition, records: [], next: until, epoch });
    }
    this.#reading = await this.#options.log.read(left);
    this.#running = this.#run(follower, read, this.#reading).catch((error: unknown) => {
      if (!this.#closing) follower.failed(error instanceof Error ? error : new Error(String(error)));
    });
    return this;
  }

  async close(): Promise<void> {
    this.#closing = true;
    this.#release();
    await this.#reading?.close();
    await this.#running;
  }

  async #run(follower: Follower, read: readonly RecordRun[], { cursors }: StretchReading): Promise<void> {
    const take = merging(cursors, this.#options.read);
    await this.#handOver(follower, read);
    while (!this.#closing) {
      const merged = await take(HAND_OVER);
      await this.#handOver(follower, runsOf(merged));
      if (merged.records.length === 0) return;
    }
  }

  /** Hands runs over, and resolves once there is room for more. A merge has nearly as many runs as records: few promises tell of the room. */
  async #handOver(follower: Follower, runs: readonly RecordRun[]): Promise<void> {
    const rooms = new Set<Promise<void> | void>();
    for (const run of runs) {
      if (this.#closing) return;
      rooms.add(follower.take(run));
      this.#reached.set(partitionName(run), run.next);
    }
    // A promise of its own each time: one that lives as long as the replay would remember every wait.
    const released = Promise.withResolvers<void>();
    this.#release = released.resolve;
    await Promise.race([Promise.all(rooms), released.promise]);
  }
}

/** The records in merged order, as runs of consecutive records of one partition and leader epoch; then the ends of stretches. */
function runsOf({ records, epochs, ended }: Merged): RecordRun[] {
  const runs: (Partition & { records: SourceRecord[]; next: number; epoch: number | undefined })[] = [];
  for (const [i, record] of records.entries()) {
    const epoch = epochs[i];
    const { topic, partition, offset } = record;
    const last = runs.at(-1);
    if (last?.topic === topic && last.partition === partition && last.epoch === epoch) {
      last.records.push(record);
      last.next = offset + 1;
    } else runs.push({ topic, partition, records: [record], next: offset + 1, epoch });
  }
  return [...runs, ...ended];
}
