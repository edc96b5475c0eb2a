import type { Follower, Message, Position, RecordRun, SourceRecord } from '../../src/pipeline/ports.ts';

export { until } from '../e2e/twhin.ts';

/** A follower that keeps every record, and the next position in each partition. */
export class Collector implements Follower {
  readonly records: SourceRecord[] = [];
  readonly runs: RecordRun[] = [];
  readonly errors: Error[] = [];
  readonly positions: Map<string, Position>;
  /** Whether there is room after a run. Without room, the run's partition waits for `resume`. */
  room: (run: RecordRun, collector: Collector) => boolean = () => true;
  reads: (topic: string, partition: number) => boolean = () => true;
  #waiting = Promise.withResolvers<void>();

  constructor(positions: Map<string, Position> = new Map()) {
    this.positions = positions;
  }

  position(topic: string, partition: number): Position | undefined {
    return this.positions.get(`${topic}/${partition}`);
  }

  take(run: RecordRun): Promise<void> | undefined {
    this.runs.push(run);
    this.records.push(...run.records);
    this.positions.set(`${run.topic}/${run.partition}`, { offset: run.next, epoch: run.epoch });
    return this.room(run, this) ? undefined : this.#waiting.promise;
  }

  /** Makes room for the partitions that wait now. */
  resume(): void {
    this.#waiting.resolve();
    this.#waiting = Promise.withResolvers();
  }

  failed(error: Error): void {
    this.errors.push(error);
  }
}

let made = 0;

/** A topic name that no other test has. */
export function freshTopic(stem: string): string {
  made++;
  return `${stem}-${process.pid}-${made}-${Date.now()}`;
}

/** `count` messages over `keys` keys, numbered in their values: `0`, `1`, … */
export function numbered(topic: string, count: number, keys: number, from = 0): Message[] {
  return Array.from({ length: count }, (_, index) => {
    const n = from + index;
    return { topic, key: `k${n % keys}`, value: Buffer.from(String(n)), headers: { n: String(n) } };
  });
}

export function numbersOf(records: readonly SourceRecord[]): number[] {
  return records.map(({ value }) => Number(value));
}

/** The first few numbers that are out of order within their key, or repeated. Tests expect none. */
export function disorder(records: readonly SourceRecord[]): string[] {
  const last = new Map<string, number>();
  return records.flatMap(({ key, value, partition, offset }) => {
    const before = last.get(String(key)) ?? -1;
    const n = Number(value);
    last.set(String(key), n);
    return n > before ? [] : [`${key}: ${n} after ${before} at ${partition}/${offset}`];
  });
}
