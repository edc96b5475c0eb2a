import type { SourceRecord } from '../ports.ts';
import type { Pace } from '../tuning.ts';

/** Bytes a record is counted as beyond its key and value. */
const RECORD_OVERHEAD_BYTES = 200;

export type QueueBound = Pick<Pace, 'queueBytes'>;

/**
 * Records between the source and the updater, bounded in bytes: back-pressure. A full queue still takes what is
 * handed over with the call that filled it, so the bound is overshot by one hand-over at most.
 */
export class RecordQueue {
  /** When the oldest of the records last taken was handed over, epoch ms; undefined before any was. */
  takenSince: number | undefined;
  readonly #bound: QueueBound;
  readonly #clock: () => number;
  #records: SourceRecord[] = [];
  /** Hand-overs of which records are left, oldest first. */
  readonly #arrivals: { readonly at: number; left: number }[] = [];
  #bytes = 0;
  #wake: (() => void) | undefined;
  #closed = false;

  constructor(bound: QueueBound, clock: () => number) {
    this.#bound = bound;
    this.#clock = clock;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get length(): number {
    return this.#records.length;
  }

  get full(): boolean {
    return this.#bytes >= this.#bound.queueBytes;
  }

  /** Room enough to go on after having been full: half the bound, so that pausing and resuming do not alternate. */
  get roomy(): boolean {
    return this.#bytes <= this.#bound.queueBytes / 2;
  }

  push(records: readonly SourceRecord[]): void {
    if (records.length > 0) this.#arrivals.push({ at: this.#clock(), left: records.length });
    for (const record of records) {
      this.#records.push(record);
      this.#bytes += sizeOf(record);
    }
    this.#wake?.();
  }

  /** The oldest records, up to `limit`; none when the queue stays empty for `waitMs` or is closed. */
  async take(limit: number, waitMs: number): Promise<SourceRecord[]> {
    if (this.#records.length === 0 && !this.#closed) await this.#arrival(waitMs);
    const taken = this.#records.splice(0, limit);
    for (const record of taken) this.#bytes -= sizeOf(record);
    if (taken.length > 0) this.#leave(taken.length);
    return taken;
  }

  #leave(taken: number): void {
    this.takenSince = this.#arrivals[0]?.at;
    for (let left = taken; left > 0; ) {
      const [first] = this.#arrivals;
      if (first === undefined) return;
      const gone = Math.min(first.left, left);
      left -= gone;
      first.left -= gone;
      if (first.left === 0) this.#arrivals.shift();
    }
  }

  /** Wakes whoever waits, now and from now on. */
  close(): void {
    this.#closed = true;
    this.#wake?.();
  }

  #arrival(waitMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(done, waitMs);
      this.#wake = done;
      const forget = () => {
        clearTimeout(timer);
        this.#wake = undefined;
      };
      function done() {
        forget();
        resolve();
      }
    });
  }
}

function sizeOf(record: SourceRecord): number {
  return RECORD_OVERHEAD_BYTES + (record.key?.length ?? 0) + (record.value?.length ?? 0);
}
