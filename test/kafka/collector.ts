import { setTimeout as sleep } from 'node:timers/promises';
import type { Follower, Message, RecordRun, SourceRecord } from '../../src/pipeline/ports.ts';

/** A follower that keeps everything and knows where it stands. */
export class Collector implements Follower {
  readonly records: SourceRecord[] = [];
  readonly runs: RecordRun[] = [];
  readonly errors: Error[] = [];
  readonly positions: Map<string, number>;
  /** Whether there is room after a run. Where there is none its partition waits for `resume`. */
  room: (run: RecordRun, collector: Collector) => boolean = () => true;
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

  /** There is room again, for what waits now. */
  resume(): void {
    this.#waiting.resolve();
    this.#waiting = Promise.withResolvers();
  }

  failed(error: Error): void {
    this.errors.push(error);
  }
}

/** Waits until `ready`, else says what was waited for. Between two looks it does `meanwhile`. */
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

/** A topic name no other test has. */
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

/** The first few numbers out of order within their key, or met twice; none is what every test wants. */
export function disorder(records: readonly SourceRecord[]): string[] {
  const last = new Map<string, number>();
  return records.flatMap(({ key, value, partition, offset }) => {
    const before = last.get(String(key)) ?? -1;
    const n = Number(value);
    last.set(String(key), n);
    return n > before ? [] : [`${key}: ${n} after ${before} at ${partition}/${offset}`];
  });
}
