import type { EventLog, PartitionRange, RecordRun } from '../pipeline/ports.ts';

export interface ReadingOptions {
  readonly log: EventLog;
  readonly topics: readonly string[];
  /** Takes each run, in order within a partition. It is read, and the partition read on, once the promise resolves. */
  take(run: RecordRun): Promise<void> | void;
  /** Told that the log can't be followed any further. */
  failed(error: Error): void;
}

/**
 * Topics that are read from their start and then followed. A reading has caught up once it has read everything that was
 * there when it began. It decodes nothing: whoever takes the records handles their contents, tombstones included.
 */
export class Reading {
  readonly #options: ReadingOptions;
  readonly #next = new Map<string, number>();
  #ranges: readonly PartitionRange[];
  #wasCaughtUp = false;
  /** What `lag` gave, until more is read or the ends are looked at. */
  #knownLag: number | undefined;

  private constructor(options: ReadingOptions, ranges: readonly PartitionRange[]) {
    this.#options = options;
    this.#ranges = ranges;
  }

  /** Resolves once the reading has begun. @throws FatalError `topics-missing`; RetryableError while the log is out of reach. */
  static async begin(options: ReadingOptions): Promise<Reading> {
    const reading = new Reading(options, await options.log.ranges(options.topics));
    await options.log.follow(options.topics, {
      position: () => undefined,
      take: (run) => reading.#take(run),
      failed: options.failed,
    });
    return reading;
  }

  /** Once true, always true. */
  get caughtUp(): boolean {
    this.#wasCaughtUp ||= this.lag === 0;
    return this.#wasCaughtUp;
  }

  /** Offsets between what is read and the ends as they were last looked at. */
  get lag(): number {
    this.#knownLag ??= this.#ranges.reduce(
      (sum, range) => sum + leftOf(range, this.#next.get(placeOf(range))),
      0,
    );
    return this.#knownLag;
  }

  /** What there was to read when the ends were last looked at. */
  get whole(): number {
    return this.#ranges.reduce((sum, { low, high }) => sum + high - low, 0);
  }

  /** Looks where the topics end now. @throws RetryableError while the log is out of reach. */
  async look(): Promise<void> {
    this.#ranges = await this.#options.log.ranges(this.#options.topics);
    this.#knownLag = undefined;
  }

  async #take(run: RecordRun): Promise<void> {
    await this.#options.take(run);
    this.#next.set(placeOf(run), run.next);
    this.#knownLag = undefined;
  }
}

function placeOf({ topic, partition }: Pick<RecordRun, 'topic' | 'partition'>): string {
  return `${topic}/${partition}`;
}

function leftOf({ low, high }: PartitionRange, next: number | undefined): number {
  return Math.max(0, high - Math.max(low, next ?? low));
}
