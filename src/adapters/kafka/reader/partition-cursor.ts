import { reasonOf } from '../../../errors/errors.ts';
import type { SourceRecord, Stretch, StretchCursor } from '../../../pipeline/ports.ts';
import { BatchDecoder, type Decoded, wholeBatches } from './batches.ts';
import type { Fetched } from './fetch.ts';

/** What one fetch brought. */
interface Ahead {
  readonly bytes: number;
  readonly decoder: BatchDecoder;
}

export interface CursorOptions {
  /** Of unpacked records given at a time, about: packed ones may be many times smaller. */
  readonly handOverBytes: number;
  /** Called when there is room for more. */
  readonly onTaken: () => void;
}

/**
 * One stretch of a partition between the fetch loop and its reader. What is read ahead stays as the broker packed it,
 * so that its bytes are what it takes up; records are made of it as they are asked for.
 */
export class PartitionCursor implements StretchCursor {
  readonly stretch: Stretch;
  readonly #options: CursorOptions;
  #ahead: Ahead[] = [];
  #aheadBytes = 0;
  #fetchOffset: number;
  /** Everything below was given to the reader. */
  #given: number;
  #failure: Error | undefined;
  #waiting: PromiseWithResolvers<void> | undefined;
  /** To be fetched for alone: beside others the broker had no room for a whole batch of this partition. */
  alone = false;

  constructor(stretch: Stretch, options: CursorOptions) {
    this.stretch = stretch;
    this.#fetchOffset = stretch.from;
    this.#given = stretch.from;
    this.#options = options;
  }

  get name(): string {
    return `${this.stretch.topic}/${this.stretch.partition}`;
  }

  get fetchOffset(): number {
    return this.#fetchOffset;
  }

  get aheadBytes(): number {
    return this.#aheadBytes;
  }

  /** Nothing is left to fetch. */
  get done(): boolean {
    return this.#failure !== undefined || this.#fetchOffset >= this.stretch.until;
  }

  /** Takes in what the broker gave at `fetchOffset`. False where that holds no whole batch. */
  add({ topic, partition, bytes, aborted }: Fetched): boolean {
    const { length, next } = wholeBatches(bytes, this.stretch.until, topic);
    if (length > 0) {
      const batches = { topic, partition, bytes: bytes.subarray(0, length), aborted };
      const decoder = new BatchDecoder(batches, this.#fetchOffset, this.stretch.until);
      this.#ahead.push({ bytes: length, decoder });
      this.#aheadBytes += length;
    }
    if (next !== undefined) {
      this.passTo(next);
    }
    return next !== undefined;
  }

  /** The log holds no more records below `offset`. */
  passTo(offset: number): void {
    this.#fetchOffset = Math.max(this.#fetchOffset, offset);
    this.alone = false;
    this.#wake();
  }

  /** Ends the stretch where it is: what was read ahead is still given, then the error. */
  fail(error: Error): void {
    this.#failure ??= error;
    this.#wake();
  }

  /** Ends the stretch at once. */
  drop(error: Error): void {
    this.#ahead = [];
    this.#aheadBytes = 0;
    this.#failure = error;
    this.#wake();
  }

  async next(): Promise<SourceRecord[] | undefined> {
    for (;;) {
      const decoded = await this.nextDecoded();
      if (decoded === undefined || decoded.records.length > 0) return decoded?.records;
    }
  }

  /** The same, and how far it reaches: an answer without records passes what is not for readers. */
  async nextDecoded(): Promise<Decoded | undefined> {
    for (;;) {
      const ahead = this.#ahead[0];
      if (ahead !== undefined) {
        const decoded = await this.#decode(ahead);
        if (decoded.next > this.#given) {
          this.#given = decoded.next;
          return decoded;
        }
      } else if (this.#failure !== undefined) {
        throw this.#failure;
      } else if (Math.min(this.#fetchOffset, this.stretch.until) > this.#given) {
        this.#given = Math.min(this.#fetchOffset, this.stretch.until);
        return { records: [], next: this.#given };
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
      // Asked again, the cursor must not go on behind what is damaged.
      this.drop(error instanceof Error ? error : new Error(reasonOf(error)));
      throw error;
    }
  }

  #wake(): void {
    this.#waiting?.resolve();
    this.#waiting = undefined;
  }
}
