import type { Head } from '../../graph/head.ts';
import type { WriterNote } from '../ports.ts';

/** What an updater is to its graph. */
export type Role =
  /** Reads for the group, and alone publishes the graph's vectors. */
  | 'leader'
  /** Keeps a store of its own warm, and leads once the group's reader is gone. */
  | 'standby'
  /** Trains a store beside the live one: nobody waits for it. */
  | 'shadow';

/** Who writes the store and the embeddings topic; part of every commit. */
export class Writer {
  space: string;
  epoch: number;
  stepBase: number;
  topicIds: Readonly<Record<string, string>>;

  /**
   * freshSpace: for a store that has none. Who does not lead takes it in any case: what it learns goes its own way, and
   * must not be taken for what the leader of the same beginning published.
   */
  constructor(head: Head | undefined, role: Role, freshSpace: string) {
    this.space = role !== 'leader' || !head?.space ? freshSpace : head.space;
    this.epoch = head?.epoch ?? 0;
    this.stepBase = head?.stepBase ?? 0;
    this.topicIds = head?.topicIds ?? {};
  }

  /** step: of the last commit. */
  note(step: number): WriterNote {
    return { space: this.space, epoch: this.epoch, step: this.stepBase + step };
  }

  /** Whether what `note` tells of is this store's own past, so that the topic holds nothing it doesn't know. */
  wrote(note: WriterNote, step: number): boolean {
    const own = this.note(step);
    return note.space === own.space && note.epoch <= own.epoch && note.step <= own.step;
  }
}
