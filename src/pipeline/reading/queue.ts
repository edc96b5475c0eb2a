import type { RecordRun, SourceRecord } from '../ports.ts';
import type { Pace } from '../tuning.ts';

/** Bytes that a record, or a run without records, counts for beyond its key and value. */
const OVERHEAD_BYTES = 200;

export type QueueBound = Pick<Pace, 'queueBytes'>;

/**
 * Runs of records between the log and the updater, bounded in bytes: back-pressure. A full queue still takes the run
 * that fills it, so each partition overshoots the bound by one run at most.
 */
export class RecordQueue {
  /** When the oldest of the records taken last arrived, epoch ms; undefined before any was taken. */
  takenSince: number | undefined;
  readonly #bound: QueueBound;
  readonly #clock: () => number;
  /** Oldest first, from `#first` on. */
  #waiting: { run: RecordRun; readonly at: number }[] = [];
  #first = 0;
  #length = 0;
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

  /** Records that wait. */
  get length(): number {
    return this.#length;
  }

  get full(): boolean {
    return this.#bytes >= this.#bound.queueBytes;
  }

  /** Room enough to go on after the queue was full: half the bound, so that pausing and resuming do not alternate. */
  get roomy(): boolean {
    return this.#bytes <= this.#bound.queueBytes / 2;
  }

  push(run: RecordRun): void {
    this.#waiting.push({ run, at: this.#clock() });
    this.#length += run.records.length;
    this.#bytes += sizeOf(run.records);
    this.#wake?.();
  }

  /**
   * The oldest runs, of `limit` records together at most: the last run is split where that is needed. None when the
   * queue stays empty for `waitMs` or is closed.
   */
  async take(limit: number, waitMs: number): Promise<RecordRun[]> {
    if (this.#first === this.#waiting.length && !this.#closed) await this.#arrival(waitMs);
    const taken: RecordRun[] = [];
    let left = limit;
    for (; this.#first < this.#waiting.length && left > 0; ) {
      const waiting = this.#waiting[this.#first]!;
      const [now, later] = split(waiting.run, left);
      if (left === limit && now.records.length > 0) this.takenSince = waiting.at;
      taken.push(now);
      left -= now.records.length;
      this.#length -= now.records.length;
      this.#bytes -= sizeOf(now.records);
      if (later) waiting.run = later;
      else this.#first++;
    }
    if (2 * this.#first >= this.#waiting.length) {
      this.#waiting = this.#waiting.slice(this.#first);
      this.#first = 0;
    }
    return taken;
  }

  /** Wakes whoever waits, now and from now on. */
  close(): void {
    this.#closed = true;
    this.#wake?.();
  }

  #arrival(waitMs: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, waitMs);
    this.#wake = resolve;
    return promise.finally(() => {
      clearTimeout(timer);
      this.#wake = undefined;
    });
  }
}

/** The run's first `limit` records, and the rest of the run where there is one. */
function split(run: RecordRun, limit: number): [RecordRun, RecordRun | undefined] {
  const { records } = run;
  const cut = records[limit];
  if (cut === undefined) return [run, undefined];
  return [
    { ...run, records: records.slice(0, limit), next: cut.offset },
    { ...run, records: records.slice(limit) },
  ];
}

function sizeOf(records: readonly SourceRecord[]): number {
  let bytes = records.length === 0 ? OVERHEAD_BYTES : 0;
  for (const { key, value } of records) bytes += OVERHEAD_BYTES + (key?.length ?? 0) + (value?.length ?? 0);
  return bytes;
}
