import { reasonOf } from '../../../errors/errors.ts';
import type { SourceRecord, Stretch, StretchCursor } from '../../../pipeline/ports.ts';
import { Unpacking, wholeBatches } from './batches.ts';
import type { Fetched } from './fetch.ts';

/** What one fetch brought. */
interface Ahead {
  readonly bytes: number;
  readonly unpacking: Unpacking;
}

export interface StretchOptions {
  /** Of unpacked records given at a time, about: packed ones may be many times smaller. */
  readonly handOverBytes: number;
  /** Called when there is room for more. */
  readonly onTaken: () => void;
}

/**
 * One stretch of a partition between who fetches and who reads. What is read ahead stays as the broker packed it, so
 * that its bytes are what it takes up; records are made of it as they are asked for.
 */
export class KafkaStretch implements StretchCursor {
  readonly stretch: Stretch;
  readonly #handOverBytes: number;
  readonly #onTaken: () => void;
  #ahead: Ahead[] = [];
  #aheadBytes = 0;
  #fetchOffset: number;
  #failure: Error | undefined;
  #waiting: PromiseWithResolvers<void> | undefined;
  /** To be fetched for alone: beside others the broker had no room for a whole batch of it. */
  alone = false;

  constructor(stretch: Stretch, { handOverBytes, onTaken }: StretchOptions) {
    this.stretch = stretch;
    this.#fetchOffset = stretch.from;
    this.#handOverBytes = handOverBytes;
    this.#onTaken = onTaken;
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
      const unpacking = new Unpacking(batches, this.#fetchOffset, this.stretch.until);
      this.#ahead.push({ bytes: length, unpacking });
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
      const ahead = this.#ahead[0];
      if (ahead !== undefined) {
        const records = await this.#unpack(ahead);
        if (records.length > 0) {
          return records;
        }
      } else if (this.#failure !== undefined) {
        throw this.#failure;
      } else if (this.done) {
        return undefined;
      } else {
        this.#waiting ??= Promise.withResolvers<void>();
        await this.#waiting.promise;
      }
    }
  }

  async #unpack({ bytes, unpacking }: Ahead): Promise<SourceRecord[]> {
    try {
      const records = await unpacking.next(this.#handOverBytes);
      if (unpacking.done && this.#ahead[0]?.unpacking === unpacking) {
        this.#ahead.shift();
        this.#aheadBytes -= bytes;
        this.#onTaken();
      }
      return records;
    } catch (error) {
      // Asked again, it must not go on behind what is damaged.
      this.drop(error instanceof Error ? error : new Error(reasonOf(error)));
      throw error;
    }
  }

  #wake(): void {
    this.#waiting?.resolve();
    this.#waiting = undefined;
  }
}
