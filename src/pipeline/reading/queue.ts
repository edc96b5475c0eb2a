import type { RecordRun, SourceRecord } from '../ports.ts';
import type { Pace } from '../tuning.ts';

/** Bytes that a record, or a run without records, counts for beyond its key and value. */
const OVERHEAD_BYTES = 200;

export type QueueBound = Pick<Pace, 'queueBytes'>;

/**
 * Most bytes of a lane, whatever the bound of all that is read ahead: what waits here is decoded, many small objects that the
 * garbage collector copies for as long as they wait. What is read ahead of that waits as bytes.
 */
const MOST_DECODED_BYTES = 2 << 20;
/** Of the bound, the part that urgent runs may take beside the others. */
const URGENT_SHARE = 1 / 4;
/**
 * Of the records taken, the part of others while more urgent ones wait than the queue takes: some, so that these never stand
 * still, and few, or urgent ones would wait ever longer in the log.
 */
const OTHERS_SHARE = 1 / 8;

/**
 * Runs of records between the log and the updater, bounded in bytes: back-pressure. Urgent runs come before all others. A full lane
 * still takes the run that fills it, so each partition overshoots the bound by one run at most.
 */
export class RecordQueue {
  /** When the oldest of the records taken last arrived, epoch ms; undefined before any was taken. */
  takenSince: number | undefined;
  readonly urgent: Lane;
  readonly others: Lane;
  readonly #clock: () => number;
  #wake: (() => void) | undefined;
  #closed = false;

  constructor(bound: QueueBound, clock: () => number) {
    const most = () => Math.min(bound.queueBytes, MOST_DECODED_BYTES);
    this.urgent = new Lane(() => most() * URGENT_SHARE);
    this.others = new Lane(most);
    this.#clock = clock;
  }

  get bytes(): number {
    return this.urgent.bytes + this.others.bytes;
  }

  /** Records that wait. */
  get length(): number {
    return this.urgent.length + this.others.length;
  }

  push(run: RecordRun, lane = this.others): void {
    lane.push(run, this.#clock());
    this.#wake?.();
  }

  /**
   * The urgent runs and then the others, oldest first, of `limit` records together at most: the last run is split where that is
   * needed. Of the others, few are taken while the lane of urgent runs is full. None when the queue stays empty for `waitMs` or is
   * closed.
   */
  async take(limit: number, waitMs: number): Promise<RecordRun[]> {
    if (this.urgent.empty && this.others.empty && !this.#closed) await this.#arrival(waitMs);
    const taken: RecordRun[] = [];
    const ofOthers = this.urgent.full ? Math.ceil(limit * OTHERS_SHARE) : limit;
    let left = limit;
    let since: number | undefined;
    for (const lane of [this.urgent, this.others]) {
      if (lane === this.others) left = Math.min(left, ofOthers);
      while (left > 0 && !lane.empty) {
        const { run, at } = lane.take(left);
        taken.push(run);
        left -= run.records.length;
        if (run.records.length > 0) since = Math.min(since ?? at, at);
      }
    }
    this.takenSince = since ?? this.takenSince;
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

/** Runs that are taken in the order in which they came. */
class Lane {
  bytes = 0;
  /** Records that wait. */
  length = 0;
  readonly #bound: () => number;
  /** Oldest first, from `#first` on. */
  #waiting: { run: RecordRun; readonly at: number }[] = [];
  #first = 0;

  constructor(bound: () => number) {
    this.#bound = bound;
  }

  get empty(): boolean {
    return this.#first === this.#waiting.length;
  }

  get full(): boolean {
    return this.bytes >= this.#bound();
  }

  /** Room enough to go on after the lane was full: half the bound, so that pausing and resuming do not alternate. */
  get roomy(): boolean {
    return this.bytes <= this.#bound() / 2;
  }

  push(run: RecordRun, at: number): void {
    this.#waiting.push({ run, at });
    this.length += run.records.length;
    this.bytes += sizeOf(run.records);
  }

  /** The oldest run, or its first `limit` records, with the time of its arrival. Must not be empty. */
  take(limit: number): { run: RecordRun; at: number } {
    const waiting = this.#waiting[this.#first]!;
    const [run, later] = split(waiting.run, limit);
    this.length -= run.records.length;
    this.bytes -= sizeOf(run.records);
    if (later) waiting.run = later;
    else this.#first++;
    if (2 * this.#first >= this.#waiting.length) {
      this.#waiting = this.#waiting.slice(this.#first);
      this.#first = 0;
    }
    return { run, at: waiting.at };
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
