import { randomUUID } from 'node:crypto';
import type { Consumer } from 'kafkajs';
import { RetryableError } from '../../../errors/errors.ts';
import type { Committed, Offsets, WriterNote } from '../../../pipeline/ports.ts';
import { fenced } from '../../log-errors.ts';
import type { KafkaAdmin } from '../admin.ts';
import { encodeGroupNote, latestNote } from './note.ts';
import type { Claim } from './one-reader.ts';

export interface ReadershipOptions {
  readonly groupId: string;
  readonly topics: readonly string[];
  readonly standby: boolean;
}

/**
 * A source's standing in its group, through all its sessions. A session that ends leaves a time in which another may
 * have read and written, and be gone again before this one is back: the note on the group's offsets says whether.
 */
export class Readership {
  readonly #admin: KafkaAdmin;
  readonly #options: ReadershipOptions;
  readonly #id = randomUUID();
  #owned: string | null = null;
  #sequence = 0;
  #held = false;

  constructor(admin: KafkaAdmin, options: ReadershipOptions) {
    this.#admin = admin;
    this.#options = options;
  }

  /** It was the group's reader before, and may have written as such. */
  get held(): boolean {
    return this.#held;
  }

  /** What to say when joining. */
  claim(): Claim {
    return { owned: this.#owned, sequence: this.#sequence, standby: this.#options.standby };
  }

  /** It was given the partitions under this member id. */
  assigned(memberId: string): void {
    this.#owned = memberId;
  }

  /**
   * Leaves this source's name on the group, unless it is there. next: the offset to leave where the group has none.
   * @throws FatalError `fenced` when another left its name since.
   */
  async take(
    consumer: Consumer,
    next: (topic: string, partition: number) => number,
    awayMs: number,
  ): Promise<void> {
    const { groupId } = this.#options;
    const left = await this.#left();
    const latest = latestNote(left.map(({ metadata }) => metadata));
    if (latest?.reader === this.#id) {
      this.#sequence = latest.sequence;
      return;
    }
    if (latest !== undefined && this.#held) throw fenced(groupId, awayMs);
    this.#sequence = latest?.sequence ?? this.#sequence;
    const offsets: Offsets = {};
    for (const { topic, partition, offset } of left) {
      offsets[topic] = { ...offsets[topic], [partition]: offset >= 0 ? offset : next(topic, partition) };
    }
    await this.commit(consumer, offsets, latest?.note);
    // Read back: a consumer that is just ending drops a commit without a word.
    const written = latestNote((await this.#left()).map(({ metadata }) => metadata));
    if (written?.reader !== this.#id) {
      throw new RetryableError('group-note', `group ${groupId} did not keep the name of its reader`);
    }
    this.#held = true;
  }

  /** Commits offsets with the writer's note. @throws what kafkajs throws. */
  async commit(consumer: Consumer, offsets: Offsets, note: WriterNote | undefined): Promise<void> {
    const sequence = this.#sequence + 1;
    const metadata = encodeGroupNote({ sequence, reader: this.#id, ...(note ? { note } : {}) });
    const list = Object.entries(offsets).flatMap(([topic, partitions]) =>
      Object.entries(partitions).map(([partition, offset]) => ({
        ...{ topic, partition: Number(partition), offset: String(offset), metadata },
      })),
    );
    if (list.length === 0) return;
    await consumer.commitOffsets(list);
    this.#sequence = sequence;
  }

  /** What the group was last told, by whichever source. @throws RetryableError when no broker answers. */
  async committed(): Promise<Committed> {
    const left = await this.#left();
    const offsets: Offsets = {};
    for (const { topic, partition, offset } of left) {
      if (offset >= 0) offsets[topic] = { ...offsets[topic], [partition]: offset };
    }
    const note = latestNote(left.map(({ metadata }) => metadata))?.note;
    return { offsets, ...(note ? { note } : {}) };
  }

  #left() {
    return this.#admin.groupOffsets(this.#options.groupId, this.#options.topics);
  }
}
