import { FatalError } from '../errors/errors.ts';
import type { SourceReader, SourceRecord } from '../pipeline/ports.ts';

/**
 * The offset to read next, by topic and partition: where the reader stands at first, and from then on after the last
 * record it accepted. What a source hands over goes through here, so nothing is given twice.
 */
export class Positions {
  readonly #reader: SourceReader;
  readonly #next = new Map<string, Map<number, number>>();
  readonly #lows = new Map<string, Map<number, number>>();

  constructor(reader: SourceReader) {
    this.#reader = reader;
  }

  next(topic: string, partition: number): number {
    return this.#known(topic, partition) ?? this.#lows.get(topic)?.get(partition) ?? 0;
  }

  /** Whether a position is known, rather than the log's start assumed. */
  has(topic: string, partition: number): boolean {
    return this.#known(topic, partition) !== undefined;
  }

  advance(topic: string, partition: number, offset: number): void {
    const partitions = this.#next.get(topic) ?? new Map<number, number>();
    this.#next.set(topic, partitions.set(partition, offset));
  }

  /** The records not accepted yet, of one partition. */
  unseen(records: SourceRecord[]): SourceRecord[] {
    const first = records[0];
    if (first === undefined) {
      return records;
    }
    const next = this.next(first.topic, first.partition);
    return first.offset >= next ? records : records.filter(({ offset }) => offset >= next);
  }

  /** Where the reader stands in each of the partitions that it has a position for. */
  known(topic: string, partitions: Iterable<number>): Map<number, number> {
    const known = new Map<number, number>();
    for (const partition of partitions) {
      const position = this.#known(topic, partition);
      if (position !== undefined) known.set(partition, position);
    }
    return known;
  }

  /**
   * Takes in what each partition of a topic holds. stood: the positions to compare, of before the log was asked.
   * @throws FatalError when a position is outside of it: going on would skip or repeat records without a word.
   */
  check(
    topic: string,
    ranges: ReadonlyMap<number, { low: number; high: number }>,
    stood: ReadonlyMap<number, number> = this.known(topic, ranges.keys()),
  ): void {
    this.#lows.set(topic, new Map([...ranges].map(([partition, { low }]) => [partition, low])));
    for (const [partition, { low, high }] of ranges) {
      const stored = stood.get(partition);
      if (stored !== undefined && (stored < low || stored > high)) {
        const what =
          stored < low
            ? `retention took the records in between: raise retention.ms. To go on with what is kept: twhin run --reread ${topic}`
            : `the topic was deleted and made again. To keep what was learned and read it from its start: twhin run --reread ${topic}`;
        const message = `the stored offset ${stored} of ${topic}/${partition} is outside of what the log holds, ${low} to ${high}; ${what}`;
        throw new FatalError('offset-out-of-range', message);
      }
    }
  }

  #known(topic: string, partition: number): number | undefined {
    return this.#next.get(topic)?.get(partition) ?? this.#reader.position(topic, partition);
  }
}
