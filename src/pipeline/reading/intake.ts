import type { Follower, RecordRun } from '../ports.ts';
import type { OffsetLedger } from './offset-ledger.ts';
import { type QueueBound, RecordQueue } from './queue.ts';

const PAUSE_MS = 100;

/** The follower of a log: what the log hands over waits here until it is applied, in a queue bounded in bytes. */
export class Intake implements Follower {
  readonly queue: RecordQueue;
  readonly failed: (error: Error) => void;
  #ledger: OffsetLedger | undefined;
  /** Resolves once a full queue has room again. */
  #room: PromiseWithResolvers<void> | undefined;

  constructor(bound: QueueBound, clock: () => number, failed: (error: Error) => void) {
    this.queue = new RecordQueue(bound, clock);
    this.failed = failed;
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
    this.queue.push(run);
    if (!this.queue.full) return undefined;
    this.#room ??= Promise.withResolvers<void>();
    return this.#room.promise;
  }

  /** The oldest runs, of up to `limit` records; none when there is none for `waitMs`, or after `close`. */
  async next(limit: number, waitMs: number): Promise<RecordRun[]> {
    const runs = await this.queue.take(limit, waitMs);
    if (this.queue.roomy) {
      this.#room?.resolve();
      this.#room = undefined;
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
