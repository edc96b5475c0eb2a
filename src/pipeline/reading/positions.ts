import type { Offsets, PartitionRange } from '../ports.ts';

/** Next offset by topic and partition, only ever rising. */
export class Positions {
  readonly #offsets = new Map<string, Map<number, number>>();

  constructor(offsets: Offsets = {}) {
    this.advanceTo(offsets);
  }

  get(topic: string, partition: number): number | undefined {
    return this.#offsets.get(topic)?.get(partition);
  }

  /** False when `next` is not ahead: the record before it was read already. */
  advance(topic: string, partition: number, next: number): boolean {
    let partitions = this.#offsets.get(topic);
    if (partitions === undefined) {
      partitions = new Map();
      this.#offsets.set(topic, partitions);
    }
    if (next <= (partitions.get(partition) ?? -1)) return false;
    partitions.set(partition, next);
    return true;
  }

  /** Goes up to each of `offsets` that is ahead. */
  advanceTo(offsets: Offsets): void {
    for (const [topic, partitions] of Object.entries(offsets)) {
      for (const [partition, offset] of Object.entries(partitions))
        this.advance(topic, Number(partition), offset);
    }
  }

  /** Whether the end of every range is reached. A range that is empty is, though nothing of it was ever read. */
  reached(ranges: readonly PartitionRange[]): boolean {
    return ranges.every((range) => this.behind(range) === 0);
  }

  /** Offsets of a range that are still to be read. */
  behind({ topic, partition, low, high }: PartitionRange): number {
    return Math.max(0, high - (this.get(topic, partition) ?? low));
  }

  toOffsets(): Offsets {
    return Object.fromEntries(
      [...this.#offsets].map(([topic, partitions]) => [topic, Object.fromEntries(partitions)]),
    );
  }
}
