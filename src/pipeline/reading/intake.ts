import type { Follower, RecordRun } from '../ports.ts';
import type { OffsetLedger } from './offset-ledger.ts';
import { type QueueBound, RecordQueue } from './queue.ts';

const PAUSE_MS = 100;

/** The follower of a log: what the log hands over waits here until it is applied, in a queue bounded in bytes. */
export class Intake implements Follower {
  readonly queue: RecordQueue;
  readonly failed: (error: Error) => void;
  readonly #isUrgent: (topic: string) => boolean;
  #ledger: OffsetLedger | undefined;
  /** By lane: resolves once it has room again, after it was full. */
  readonly #rooms = new Map<RecordQueue['others'], PromiseWithResolvers<void>>();

  /** isUrgent: whether records of a topic come before all others, by its full name. */
  constructor(
    bound: QueueBound,
    clock: () => number,
    failed: (error: Error) => void,
    isUrgent: (topic: string) => boolean = () => false,
  ) {
    this.queue = new RecordQueue(bound, clock);
    this.failed = failed;
    this.#isUrgent = isUrgent;
  }

  /** Begins where the ledger stands; what is taken is noted there. */
  begin(ledger: OffsetLedger): void {
    this.#ledger = ledger;
  }

  position(topic: string, partition: number): number | undefined {
    return this.#ledger?.next('fetched', topic, partition);
  }

  take(run: RecordRun): Promise<void> | undefined {
    this.#ledger?.advance('fetched', run.topic, run.partition, run.next);
    const lane = this.#isUrgent(run.topic) ? this.queue.urgent : this.queue.others;
    this.queue.push(run, lane);
    if (!lane.full) return undefined;
    const room = this.#rooms.get(lane) ?? Promise.withResolvers<void>();
    this.#rooms.set(lane, room);
    return room.promise;
  }

  /** The oldest runs, of up to `limit` records; none when there is none for `waitMs`, or after `close`. */
  async next(limit: number, waitMs: number): Promise<RecordRun[]> {
    const runs = await this.queue.take(limit, waitMs);
    for (const [lane, room] of this.#rooms) {
      if (!lane.roomy) continue;
      room.resolve();
      this.#rooms.delete(lane);
    }
    return runs;
  }

  /** Takes nothing for a moment. */
  pause(waitMs: number): Promise<RecordRun[]> {
    const { promise, resolve } = Promise.withResolvers<RecordRun[]>();
    setTimeout(() => resolve([]), Math.min(waitMs, PAUSE_MS));
    return promise;
  }

  /** Wakes whoever waits for runs, now and from now on. */
  close(): void {
    this.queue.close();
  }
}
