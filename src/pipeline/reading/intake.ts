import type { Source, SourceRecord } from '../ports.ts';
import { Positions } from './positions.ts';
import { type QueueBound, RecordQueue } from './queue.ts';

const PAUSE_MS = 100;

/**
 * What a source hands over until it is applied: each record once, in a queue bounded in bytes. A full queue stops the
 * source until there is room again.
 */
export class Intake {
  readonly queue: RecordQueue;
  readonly #source: Source;
  /** Offsets passed over, of which the highest of each partition counts. */
  readonly #skips = new Positions();
  #paused = false;

  constructor(source: Source, bound: QueueBound, clock: () => number) {
    this.#source = source;
    this.queue = new RecordQueue(bound, clock);
  }

  /** accepted: where to begin; from then on, what was taken. Resolves and rejects as the source's start does. */
  async start(
    accepted: Positions,
    { leads, failed }: { leads(): void; failed(error: Error): void },
  ): Promise<void> {
    await this.#source.start({
      position: (topic, partition) => accepted.get(topic, partition),
      accept: (records) => {
        this.queue.push(
          records.filter(({ topic, partition, offset }) => accepted.advance(topic, partition, offset + 1)),
        );
        this.#paused = this.queue.full;
        return !this.#paused;
      },
      skipped: (topic, partition, offset) => {
        if (accepted.advance(topic, partition, offset)) this.#skips.advance(topic, partition, offset);
      },
      leads,
      failed,
    });
  }

  /** The oldest records, up to `limit`; none when there is none for `waitMs`, or after `close`. */
  async take(limit: number, waitMs: number): Promise<SourceRecord[]> {
    const records = await this.queue.take(limit, waitMs);
    if (this.#paused && this.queue.roomy) {
      this.#paused = false;
      this.#source.resume();
    }
    return records;
  }

  /** Takes nothing for a moment. */
  async pause(waitMs: number): Promise<SourceRecord[]> {
    const { promise, resolve } = Promise.withResolvers<SourceRecord[]>();
    setTimeout(() => resolve([]), Math.min(waitMs, PAUSE_MS));
    return promise;
  }

  /** Offsets passed over count once every record handed over before them is applied: with the queue empty, all are. */
  applySkips(read: Positions): void {
    if (this.queue.length === 0) read.advanceTo(this.#skips.toOffsets());
  }

  /** Wakes whoever takes, now and from now on. */
  close(): void {
    this.queue.close();
  }
}
