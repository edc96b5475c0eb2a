import type { Offsets, PartitionRange } from '../ports.ts';

/** How far the records of a partition came: handed over by the log, applied to the graph, written by a commit. */
export type Mark = 'fetched' | 'applied' | 'committed';

/** The one ledger of offsets: for each partition and mark, the next offset. A mark only ever rises. */
export class OffsetLedger {
  readonly #topics = new Map<string, Map<number, Record<Mark, number>>>();

  /** committed: where the store stands; the other marks begin there. */
  constructor(committed: Offsets = {}) {
    for (const mark of ['fetched', 'applied', 'committed'] as const) this.advanceTo(mark, committed);
  }

  /** undefined: nothing of the partition came that far. */
  next(mark: Mark, topic: string, partition: number): number | undefined {
    const next = this.#topics.get(topic)?.get(partition)?.[mark];
    return next === -1 ? undefined : next;
  }

  /** Every offset below `next` came that far. */
  advance(mark: Mark, topic: string, partition: number, next: number): void {
    let partitions = this.#topics.get(topic);
    if (partitions === undefined) {
      partitions = new Map();
      this.#topics.set(topic, partitions);
    }
    let marks = partitions.get(partition);
    if (marks === undefined) {
      marks = { fetched: -1, applied: -1, committed: -1 };
      partitions.set(partition, marks);
    }
    if (next > marks[mark]) marks[mark] = next;
  }

  /** Raises the mark to each of `offsets`. */
  advanceTo(mark: Mark, offsets: Offsets): void {
    for (const [topic, partitions] of Object.entries(offsets))
      for (const [partition, next] of Object.entries(partitions))
        this.advance(mark, topic, Number(partition), next);
  }

  /** A copy of the next offsets of a mark. */
  offsets(mark: Mark): Offsets {
    return Object.fromEntries(
      [...this.#topics].map(([topic, partitions]) => [
        topic,
        Object.fromEntries(
          [...partitions].flatMap(([partition, marks]) =>
            marks[mark] === -1 ? [] : [[partition, marks[mark]]],
          ),
        ),
      ]),
    );
  }

  /** Whether all of every range is applied. A range that is empty is, though nothing of it was ever read. */
  applied(ranges: readonly PartitionRange[]): boolean {
    return ranges.every((range) => this.behind(range) === 0);
  }

  /** Offsets of a range that are still to be applied. */
  behind({ topic, partition, low, high }: PartitionRange): number {
    return Math.max(0, high - (this.next('applied', topic, partition) ?? low));
  }
}
