import type { Offsets } from '../ports.ts';

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

  /** Whether every offset of `ends` was reached. An end of 0 is reached by never having read. */
  reached(ends: Offsets): boolean {
    return this.behind(ends) === 0;
  }

  /** Records between here and `ends`, over all partitions. */
  behind(ends: Offsets): number {
    let records = 0;
    for (const [topic, partitions] of Object.entries(ends)) {
      for (const [partition, end] of Object.entries(partitions)) {
        records += Math.max(0, end - (this.get(topic, Number(partition)) ?? 0));
      }
    }
    return records;
  }

  toOffsets(): Offsets {
    return Object.fromEntries(
      [...this.#offsets].map(([topic, partitions]) => [topic, Object.fromEntries(partitions)]),
    );
  }
}
