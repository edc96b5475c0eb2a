import type { Follower, Position, RecordRun, SourceRecord } from '../ports.ts';
import type { Pace } from '../tuning.ts';
import type { OffsetLedger } from './offset-ledger.ts';

/** Bytes that a record, or a run without records, counts for beyond its key and value. */
const OVERHEAD_BYTES = 200;
/**
 * Most bytes of a lane, whatever the bound of all that is read ahead: what waits here is decoded, many small objects that the
 * garbage collector copies for as long as they wait. What is read ahead of that waits as bytes.
 */
const MOST_DECODED_BYTES = 2 << 20;
/** The part of the bound that urgent runs may take beside the others. */
const URGENT_SHARE = 1 / 4;
/** The part of the others among the records taken while more urgent ones wait: never 0, and small, or urgent ones would wait ever longer. */
const OTHERS_SHARE = 1 / 8;
const PAUSE_MS = 100;

/**
 * The follower of a log: what the log hands over waits here until it is applied, bounded in bytes: back-pressure. Urgent runs come
 * before all others. A full lane still takes the run that fills it, so each partition overshoots the bound by one run at most.
 */
export class Intake implements Follower {
  /** When the oldest of the records taken last arrived, epoch ms; undefined before any was taken. */
  takenSince: number | undefined;
  /** Records that wait beside those taken last. Infinity: all of these together filled half of the room, as few large ones do. */
  backlog = 0;
  readonly failed: (error: Error) => void;
  readonly #clock: () => number;
  readonly #isUrgent: (topic: string) => boolean;
  readonly #urgent: Lane;
  readonly #others: Lane;
  #ledger: OffsetLedger | undefined;
  #wake: (() => void) | undefined;
  #closed = false;

  /** isUrgent: whether records of a topic come before all others, by its full name. */
  constructor(
    bound: Pick<Pace, 'queueBytes'>,
    clock: () => number,
    failed: (error: Error) => void,
    isUrgent: (topic: string) => boolean = () => false,
  ) {
    const most = () => Math.min(bound.queueBytes, MOST_DECODED_BYTES);
    this.#urgent = new Lane(() => most() * URGENT_SHARE);
    this.#others = new Lane(most);
    this.#clock = clock;
    this.failed = failed;
    this.#isUrgent = isUrgent;
  }

  /** Size of the records that wait. */
  get bytes(): number {
    return this.#urgent.bytes + this.#others.bytes;
  }

  get records(): number {
    return this.#urgent.records + this.#others.records;
  }

  /** Begins where the ledger stands; what is taken is noted there. */
  begin(ledger: OffsetLedger): void {
    this.#ledger = ledger;
  }

  position(topic: string, partition: number): Position | undefined {
    return this.#ledger?.position('fetched', topic, partition);
  }

  take(run: RecordRun): Promise<void> | undefined {
    this.#ledger?.advance('fetched', run.topic, run.partition, run.next, run.epoch);
    const lane = this.#isUrgent(run.topic) ? this.#urgent : this.#others;
    const room = lane.push(run, this.#clock());
    this.#wake?.();
    return room;
  }

  /**
   * The urgent runs and then the others, oldest first, of `limit` records together at most: the last run is split where that is
   * needed. Of the others, few are taken while the lane of urgent runs is full. None when nothing comes for `waitMs`, or after `close`.
   */
  async next(limit: number, waitMs: number): Promise<RecordRun[]> {
    if (this.#urgent.empty && this.#others.empty && !this.#closed) await this.#arrival(waitMs);
    const isCrowded = this.bytes >= this.#others.bound() / 2;
    const ofOthers = this.#urgent.full ? Math.ceil(limit * OTHERS_SHARE) : limit;
    const taken: RecordRun[] = [];
    let left = limit;
    let since: number | undefined;
    for (const lane of [this.#urgent, this.#others]) {
      if (lane === this.#others) left = Math.min(left, ofOthers);
      while (left > 0 && !lane.empty) {
        const { run, at } = lane.take(left);
        taken.push(run);
        left -= run.records.length;
        if (run.records.length > 0) since = Math.min(since ?? at, at);
      }
    }
    this.backlog = isCrowded ? Number.POSITIVE_INFINITY : this.records;
    this.takenSince = since ?? this.takenSince;
    return taken;
  }

  /** Takes nothing for a moment. */
  pause(waitMs: number): Promise<RecordRun[]> {
    this.backlog = Math.max(this.backlog, this.records);
    return new Promise((resolve) => void setTimeout(() => resolve([]), Math.min(waitMs, PAUSE_MS)));
  }

  /** Wakes whoever waits for runs, now and from now on. */
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
  records = 0;
  readonly bound: () => number;
  /** Oldest first: few, bounded as they are. */
  readonly #waiting: { readonly run: RecordRun; readonly at: number }[] = [];
  /** Resolves once there is room again, after the lane was full. */
  #room: PromiseWithResolvers<void> | undefined;

  constructor(bound: () => number) {
    this.bound = bound;
  }

  get empty(): boolean {
    return this.#waiting.length === 0;
  }

  get full(): boolean {
    return this.bytes >= this.bound();
  }

  /** Gives what resolves once there is room for more; undefined where there is. */
  push(run: RecordRun, at: number): Promise<void> | undefined {
    this.#waiting.push({ run, at });
    this.records += run.records.length;
    this.bytes += sizeOf(run.records);
    if (!this.full) return undefined;
    this.#room ??= Promise.withResolvers<void>();
    return this.#room.promise;
  }

  /** The oldest run, or its first `limit` records, with the time of its arrival. Must not be empty. */
  take(limit: number): { run: RecordRun; at: number } {
    const { run: whole, at } = this.#waiting.shift()!;
    const [run, later] = split(whole, limit);
    if (later) this.#waiting.unshift({ run: later, at });
    this.records -= run.records.length;
    this.bytes -= sizeOf(run.records);
    // At half the bound, so that pausing and resuming do not alternate.
    if (this.bytes <= this.bound() / 2) {
      this.#room?.resolve();
      this.#room = undefined;
    }
    return { run, at };
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
