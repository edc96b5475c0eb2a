import type { EachBatchPayload } from 'kafkajs';
import { FatalError, reasonOf, TwhinError } from '../../../errors/errors.ts';
import type { SourceReader } from '../../../pipeline/ports.ts';
import { Positions } from '../../positions.ts';
import type { KafkaAdmin } from '../admin.ts';
import { safeOffset } from '../offset.ts';
import { recordOf } from '../record.ts';

/** Records handed over between two heartbeats. */
const CHUNK_RECORDS = 500;
/** While there is no room, heartbeats are made this often, or as seldom as kafkajs was told. */
const TICK_MS = 250;

export interface HandoverParts {
  readonly admin: Pick<KafkaAdmin, 'ranges'>;
  readonly topics: readonly string[];
  readonly reader: SourceReader;
  readonly stopping: AbortSignal;
}

/** Hands records to the reader, each once, through all sessions of a source: it starts where the last was accepted. */
export class Handover {
  readonly #parts: HandoverParts;
  readonly #positions: Positions;
  /** Pending while the reader has no room. */
  #room: PromiseWithResolvers<void> | undefined;

  constructor(parts: HandoverParts) {
    this.#parts = parts;
    this.#positions = new Positions(parts.reader);
  }

  /** Offset to read next. */
  next(topic: string, partition: number): number {
    return this.#positions.next(topic, partition);
  }

  /** There is room again. */
  resume(): void {
    this.#room?.resolve();
    this.#room = undefined;
  }

  /** Compares the positions with what the log holds now. @throws FatalError when one is outside of it. */
  async check(): Promise<void> {
    for (const topic of this.#parts.topics) {
      let ranges = await this.#parts.admin.ranges(topic);
      const stood = this.#positions.known(topic, ranges.keys());
      // A standby reads on meanwhile, past the ends it was told. Those asked for afterwards are beyond where it stood.
      if ([...stood].some(([partition, offset]) => offset > (ranges.get(partition)?.high ?? 0))) {
        ranges = await this.#parts.admin.ranges(topic);
      }
      this.#positions.check(topic, ranges, stood);
      for (const [partition, { low }] of ranges) {
        // What retention took before the first reading is read: an emptied partition hands nothing over that says so.
        if (low > 0 && !this.#positions.has(topic, partition)) this.skip(topic, partition, low);
      }
    }
  }

  /** Everything below `offset` is read, though nothing was handed over for it. */
  skip(topic: string, partition: number, offset: number): void {
    const positions = this.#positions;
    if (!positions.has(topic, partition) || positions.next(topic, partition) < offset) {
      positions.advance(topic, partition, offset);
      this.#parts.reader.skipped?.(topic, partition, offset);
    }
  }

  /**
   * Hands a batch over in chunks. Whatever isn't accepted is not resolved, and so is fetched again.
   * @throws what kafkajs is to act on. What it would only try again, for ever, goes to `fail` as well.
   */
  async batch(payload: EachBatchPayload, fail: (error: FatalError) => void): Promise<void> {
    const { batch, heartbeat, isRunning, isStale } = payload;
    // First of all: a member that was put out of its group while it was suspended learns it here, not after 2,000 records.
    await heartbeat();
    if (this.#room !== undefined) {
      // The group was joined again while there was no room.
      await this.#waitForRoom(heartbeat);
    }
    try {
      await this.#chunks(payload, () => !isRunning() || isStale() || this.#parts.stopping.aborted);
    } catch (error) {
      if (error instanceof TwhinError || !isKafkajsError(error)) {
        const reason = `reading ${batch.topic}/${batch.partition} stopped: ${reasonOf(error)}`;
        fail(error instanceof FatalError ? error : new FatalError('reader', reason, { cause: error }));
      }
      throw error;
    }
  }

  async #chunks({ batch, heartbeat, resolveOffset }: EachBatchPayload, gone: () => boolean): Promise<void> {
    const { topic, partition, messages } = batch;
    const first = messages[0];
    if (first === undefined || gone()) return;
    if (safeOffset(first.offset, topic) !== this.next(topic, partition)) {
      // A gap is well where records were compacted or markers stand; a position outside of the log never is.
      this.#positions.check(topic, await this.#parts.admin.ranges(topic));
    }
    for (let at = 0; at < messages.length; at += CHUNK_RECORDS) {
      const chunk = messages.slice(at, at + CHUNK_RECORDS);
      const records = this.#positions.unseen(chunk.map((message) => recordOf(topic, partition, message)));
      const room = records.length === 0 || this.#parts.reader.accept(records);
      const last = chunk[chunk.length - 1]!.offset;
      this.#positions.advance(topic, partition, safeOffset(last, topic) + 1);
      resolveOffset(last);
      if (!room) await this.#waitForRoom(heartbeat);
      await heartbeat();
      if (gone()) return;
    }
    this.skip(topic, partition, safeOffset(batch.lastOffset(), topic) + 1);
  }

  /** Holds the batch where it is, and the group by heartbeats, until there is room or the source stops. */
  async #waitForRoom(heartbeat: () => Promise<void>): Promise<void> {
    this.#room ??= Promise.withResolvers<void>();
    const { promise } = this.#room;
    let open = false;
    const opened = promise.then(() => {
      open = true;
    });
    while (!open && !this.#parts.stopping.aborted) {
      const tick = Promise.withResolvers<void>();
      const timer = setTimeout(tick.resolve, TICK_MS);
      await Promise.race([opened, tick.promise]);
      clearTimeout(timer);
      await heartbeat();
    }
  }
}

function isKafkajsError(error: unknown): boolean {
  return error instanceof Error && error.name.startsWith('KafkaJS');
}
