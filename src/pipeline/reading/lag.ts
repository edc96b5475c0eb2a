import { reasonOf } from '../../errors/errors.ts';
import type { Log } from '../../log.ts';
import type { FollowedLog, Partition, PartitionRange, SourceRecord } from '../ports.ts';
import type { OffsetLedger } from './offset-ledger.ts';

/** Minimum interval between two questions for the ends of the topics. */
const LOOK_MS = 5_000;

export interface PartitionLag extends Partition {
  /** Offsets not yet applied, markers of transactions included. */
  readonly records: number;
  /**
   * Upper bound on the age of the oldest unapplied record: the age of the newest applied one, by the log's time. 0
   * without a backlog; undefined before this process applied a record.
   */
  readonly seconds: number | undefined;
}

export interface LagOptions {
  readonly graph: string;
  readonly eventLog: Pick<FollowedLog, 'ranges'>;
  readonly topics: readonly string[];
  readonly ledger: Pick<OffsetLedger, 'behind'>;
  readonly log: Log;
  clock(): number;
}

/** Knows the backlog by partition, from the ends of the topics a moment ago. Asks for the ends only while somebody asks. */
export class Lag {
  readonly #options: LagOptions;
  /** Log time of the newest record applied, by topic and partition, epoch ms. */
  readonly #applied = new Map<string, number[]>();
  /** Log time of the record applied last, epoch ms. */
  appliedAt: number | undefined;
  #ranges: readonly PartitionRange[] = [];
  #lookedAt = Number.NEGATIVE_INFINITY;
  #looking = false;

  constructor(options: LagOptions) {
    this.#options = options;
  }

  applied({ topic, partition, timestamp }: SourceRecord): void {
    this.appliedAt = timestamp;
    let times = this.#applied.get(topic);
    if (times === undefined) {
      times = [];
      this.#applied.set(topic, times);
    }
    times[partition] = timestamp;
  }

  /** The backlog by partition, in order; empty before the first answer. */
  byPartition(): PartitionLag[] {
    void this.#look();
    const { ledger, clock } = this.#options;
    const now = clock();
    return this.#ranges.map((range) => {
      const { topic, partition } = range;
      const records = ledger.behind(range);
      const appliedAt = this.#applied.get(topic)?.[partition];
      const age = appliedAt === undefined ? undefined : Math.max(0, now - appliedAt) / 1000;
      return { topic, partition, records, seconds: records === 0 ? 0 : age };
    });
  }

  async #look(): Promise<void> {
    const { graph, eventLog, topics, clock, log } = this.#options;
    if (this.#looking || clock() - this.#lookedAt < LOOK_MS) return;
    this.#looking = true;
    try {
      this.#ranges = await eventLog.ranges(topics);
    } catch (error) {
      // The follower of the log meets what is wrong with the topics; here only the figures get old.
      log.debug({ graph, reason: reasonOf(error) }, 'where the topics end is not known');
    }
    this.#lookedAt = clock();
    this.#looking = false;
  }
}
