import { offsetsOf } from '../../graph/head.ts';
import type { Offsets, PartitionRange, Position, Positions } from '../ports.ts';

/** How far the records of a partition came: handed over by the log, applied to the graph, written by a commit. */
export type Mark = 'fetched' | 'applied' | 'committed';

/** The one ledger of offsets: for each partition and mark, the next position. A mark only ever rises. */
export class OffsetLedger {
  readonly #topics = new Map<string, Map<number, Partial<Record<Mark, Position>>>>();

  /** committed: where the store stands; the other marks begin there. */
  constructor(committed: Positions = {}) {
    for (const mark of ['fetched', 'applied', 'committed'] as const) this.advanceTo(mark, committed);
  }

  /** undefined: nothing of the partition came that far. */
  position(mark: Mark, topic: string, partition: number): Position | undefined {
    return this.#topics.get(topic)?.get(partition)?.[mark];
  }

  /** Every offset below `offset` came that far; the last of them in this leader epoch. */
  advance(mark: Mark, topic: string, partition: number, offset: number, epoch?: number): void {
    let partitions = this.#topics.get(topic);
    if (partitions === undefined) {
      partitions = new Map();
      this.#topics.set(topic, partitions);
    }
    let marks = partitions.get(partition);
    if (marks === undefined) {
      marks = {};
      partitions.set(partition, marks);
    }
    if (offset > (marks[mark]?.offset ?? -1))
      marks[mark] = epoch === undefined ? { offset } : { offset, epoch };
  }

  /** Raises the mark to each of `positions`. */
  advanceTo(mark: Mark, positions: Positions): void {
    for (const [topic, partitions] of Object.entries(positions))
      for (const [partition, { offset, epoch }] of Object.entries(partitions))
        this.advance(mark, topic, Number(partition), offset, epoch);
  }

  /** A copy of the next positions of a mark. */
  positions(mark: Mark): Record<string, Record<string, Position>> {
    return Object.fromEntries(
      [...this.#topics].map(([topic, partitions]) => [
        topic,
        Object.fromEntries(
          [...partitions].flatMap(([partition, marks]) =>
            marks[mark] === undefined ? [] : [[partition, marks[mark]]],
          ),
        ),
      ]),
    );
  }

  /** A copy of the next offsets of a mark. */
  offsets(mark: Mark): Offsets {
    return offsetsOf(this.positions(mark));
  }

  /** Whether all of every range is applied. A range that is empty is, though nothing of it was ever read. */
  applied(ranges: readonly PartitionRange[]): boolean {
    return ranges.every((range) => this.behind(range) === 0);
  }

  /** Offsets of a range that are still to be applied. */
  behind({ topic, partition, low, high }: PartitionRange): number {
    return Math.max(0, high - (this.position('applied', topic, partition)?.offset ?? low));
  }
}
