import { reasonOf } from '../../errors/errors.ts';
import type { Log } from '../../log.ts';
import type { FollowedLog, PartitionRange, SourceRecord } from '../ports.ts';
import type { OffsetLedger } from './offset-ledger.ts';

/** The ends of the topics are asked for at most this often. */
const LOOK_MS = 5_000;

/** How far behind the end of a partition its reader is. */
export interface PartitionLag {
  readonly topic: string;
  readonly partition: number;
  /** Offsets not yet applied; markers of transactions are among them. */
  readonly records: number;
  /** Age of the newest record applied, by the log's own time, where one behind it waits: the oldest that waits is no
   * older. 0 where none waits, undefined where this process applied none yet. */
  readonly seconds: number | undefined;
}

export interface LagOptions {
  readonly graph: string;
  readonly eventLog: Pick<FollowedLog, 'ranges'>;
  readonly topics: readonly string[];
  readonly ledger: OffsetLedger;
  readonly log: Log;
  clock(): number;
}

/** Knows where the topics end, as of a moment ago, for as long as somebody asks. */
export class Lag {
  readonly #options: LagOptions;
  /** Time of the newest record applied, by topic and partition, epoch ms. */
  readonly #applied = new Map<string, number[]>();
  /** Time of the record applied last, by the log, epoch ms. */
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

  /** By partition, in order; none before the first answer. Asks for the ends again where that is due. */
  byPartition(): PartitionLag[] {
    this.#look();
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

  #look(): void {
    const { graph, eventLog, topics, clock, log } = this.#options;
    if (this.#looking || clock() - this.#lookedAt < LOOK_MS) return;
    this.#looking = true;
    eventLog
      .ranges(topics)
      .then(
        (ranges) => {
          this.#ranges = ranges;
        },
        // Whoever follows the log meets what is wrong with the topics; here only the figures are old.
        (error: unknown) =>
          log.debug({ graph, reason: reasonOf(error) }, 'where the topics end is not known'),
      )
      .finally(() => {
        this.#lookedAt = clock();
        this.#looking = false;
      });
  }
}
