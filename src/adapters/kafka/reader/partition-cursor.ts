import { reasonOf } from '../../../errors/errors.ts';
import type { Position, SourceRecord, Stretch, StretchCursor } from '../../../pipeline/ports.ts';
import type { RunCursor } from '../../follow.ts';
import { BatchDecoder, type Decoded, wholeBatches } from './batches.ts';
import type { Fetched } from './fetch.ts';

/** The batches of one fetch. */
interface Ahead {
  readonly bytes: number;
  readonly decoder: BatchDecoder;
}

export interface CursorOptions {
  /** About how many bytes of decompressed records are given at a time. */
  readonly handOverBytes: number;
  /** Called when there is room for more batches. */
  readonly onTaken: () => void;
}

/**
 * One stretch of a partition, between the fetch loop and the reader. Batches that are read ahead stay compressed, so that
 * their memory is known; they are decoded when the reader asks for records.
 */
export class PartitionCursor implements StretchCursor, RunCursor {
  readonly stretch: Stretch;
  epoch: number | undefined;
  readonly #options: CursorOptions;
  #ahead: Ahead[] = [];
  #aheadBytes = 0;
  /** The offset to fetch next, and the leader epoch of the batch before it. */
  #fetched: Position;
  /** Every offset below this one was given to the reader. */
  #given: number;
  #failure: Error | undefined;
  #waiting: PromiseWithResolvers<void> | undefined;
  /** Fetch for this cursor alone: beside other partitions, an answer had no room for a whole batch of this one. */
  alone = false;

  constructor(stretch: Stretch, options: CursorOptions) {
    this.stretch = stretch;
    this.#fetched = { offset: stretch.from, epoch: stretch.epoch };
    this.epoch = stretch.epoch;
    this.#given = stretch.from;
    this.#options = options;
  }

  get name(): string {
    return `${this.stretch.topic}/${this.stretch.partition}`;
  }

  get fetched(): Position {
    return this.#fetched;
  }

  get aheadBytes(): number {
    return this.#aheadBytes;
  }

  /** Whether nothing is left to fetch. */
  get done(): boolean {
    return this.#failure !== undefined || this.#fetched.offset >= this.stretch.until;
  }

  /** Adds the broker's answer for `fetched`. Gives false where the answer has no whole batch. */
  add({ topic, partition, bytes, aborted }: Fetched): boolean {
    const { length, next, epoch } = wholeBatches(bytes, this.stretch.until, topic);
    if (length > 0) {
      const batches = { topic, partition, bytes: bytes.subarray(0, length), aborted };
      const decoder = new BatchDecoder(batches, this.#fetched.offset, this.stretch.until);
      this.#ahead.push({ bytes: length, decoder });
      this.#aheadBytes += length;
    }
    if (next !== undefined) this.passTo(next, epoch);
    return next !== undefined;
  }

  /** Notes that the log holds no further records below `offset`. epoch: of the last batch before it, where there is one. */
  passTo(offset: number, epoch?: number): void {
    if (offset >= this.#fetched.offset) this.#fetched = { offset, epoch };
    this.alone = false;
    this.#wake();
  }

  /** Ends the stretch: the reader still gets what was read ahead, and then the error. */
  fail(error: Error): void {
    this.#failure ??= error;
    this.#wake();
  }

  /** Ends the stretch at once: the reader gets the error next. */
  drop(error: Error): void {
    this.#ahead = [];
    this.#aheadBytes = 0;
    this.#failure = error;
    this.#wake();
  }

  async next(): Promise<SourceRecord[] | undefined> {
    for (;;) {
      const decoded = await this.nextRun();
      if (decoded === undefined || decoded.records.length > 0) return decoded?.records;
    }
  }

  /** As `next`, with the offset that the answer reaches to. An answer without records skips markers and aborted records. */
  async nextRun(): Promise<Decoded | undefined> {
    for (;;) {
      const ahead = this.#ahead[0];
      if (ahead !== undefined) {
        const decoded = await this.#decode(ahead);
        if (decoded.next > this.#given) {
          this.#given = decoded.next;
          this.epoch = decoded.epoch;
          return decoded;
        }
      } else if (this.#failure !== undefined) {
        throw this.#failure;
      } else if (Math.min(this.#fetched.offset, this.stretch.until) > this.#given) {
        this.#given = Math.min(this.#fetched.offset, this.stretch.until);
        this.epoch = this.#fetched.epoch;
        return { records: [], next: this.#given, epoch: this.epoch };
      } else if (this.done) {
        return undefined;
      } else {
        this.#waiting ??= Promise.withResolvers<void>();
        await this.#waiting.promise;
      }
    }
  }

  async #decode({ bytes, decoder }: Ahead): Promise<Decoded> {
    try {
      const decoded = await decoder.next(this.#options.handOverBytes);
      if (decoder.done && this.#ahead[0]?.decoder === decoder) {
        this.#ahead.shift();
        this.#aheadBytes -= bytes;
        this.#options.onTaken();
      }
      return decoded;
    } catch (error) {
      // A further call must not continue after the damaged batch.
      this.drop(error instanceof Error ? error : new Error(reasonOf(error)));
      throw error;
    }
  }

  #wake(): void {
    this.#waiting?.resolve();
    this.#waiting = undefined;
  }
}
