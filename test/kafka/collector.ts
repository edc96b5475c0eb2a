import { setTimeout as sleep } from 'node:timers/promises';
import type { Follower, Message, RecordRun, SourceRecord } from '../../src/pipeline/ports.ts';

/** A follower that keeps every record, and the next offset of each partition. */
export class Collector implements Follower {
  readonly records: SourceRecord[] = [];
  readonly runs: RecordRun[] = [];
  readonly errors: Error[] = [];
  readonly positions: Map<string, number>;
  /** Whether there is room after a run. Without room, the run's partition waits for `resume`. */
  room: (run: RecordRun, collector: Collector) => boolean = () => true;
  reads: (topic: string, partition: number) => boolean = () => true;
  #waiting = Promise.withResolvers<void>();

  constructor(positions: Map<string, number> = new Map()) {
    this.positions = positions;
  }

  position(topic: string, partition: number): number | undefined {
    return this.positions.get(`${topic}/${partition}`);
  }

  take(run: RecordRun): Promise<void> | undefined {
    this.runs.push(run);
    this.records.push(...run.records);
    this.positions.set(`${run.topic}/${run.partition}`, run.next);
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

/** Waits until `ready`, and calls `meanwhile` between checks. what: the awaited state, for the error. */
export async function until(
  what: string,
  ready: () => boolean,
  limitMs = 60_000,
  meanwhile: () => Promise<void> = () => sleep(10),
): Promise<void> {
  const deadline = Date.now() + limitMs;
  while (!ready()) {
    if (Date.now() > deadline) {
      throw new Error(`waited ${limitMs} ms in vain for: ${what}`);
    }
    await meanwhile();
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
