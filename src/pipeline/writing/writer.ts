import type { Head } from '../../graph/head.ts';
import type { WriterNote } from '../ports.ts';

/** The role of an updater for its graph. */
export type Role =
  /** Leads the group, and alone publishes the graph's vectors. */
  | 'leader'
  /** Keeps its own store up to date, and leads once the group has no other leader. */
  | 'standby'
  /** Trains a store beside the live one, without a group. */
  | 'shadow';

/** The identity of the writer of store and embeddings topic; part of every commit. */
export class Writer {
  space: string;
  epoch: number;
  stepBase: number;
  topicIds: Readonly<Record<string, string>>;
  /** The ids of the topics that are written, as of what was published to them. */
  #written: Readonly<Record<string, string>>;
  readonly #role: Role;

  /**
   * together: whether the space is that of all shards of a graph. freshSpace: for a store that has no space. A standby or shadow of a whole graph always takes it: its training goes another
   * way than the leader's, and its vectors must not be taken for the leader's. One of a shard trains with the other shards, in
   * the space of all.
   */
  constructor(
    head: Head | undefined,
    { role, together = false }: { readonly role: Role; readonly together?: boolean },
    freshSpace: string,
  ) {
    const goesOn = role === 'leader' || together;
    this.space = goesOn && head?.space ? head.space : freshSpace;
    this.epoch = head?.epoch ?? 0;
    this.stepBase = head?.stepBase ?? 0;
    this.topicIds = head?.topicIds ?? {};
    this.#written = head?.written ?? {};
    this.#role = role;
  }

  get written(): Readonly<Record<string, string>> {
    return this.#written;
  }

  /** Those of the written topics that were made again, by their ids now: they lack what was published before. */
  madeAgain(ids: Readonly<Record<string, string>>): string[] {
    return Object.keys(ids).filter((topic) => (this.#written[topic] ?? ids[topic]) !== ids[topic]);
  }

  /** Notes the ids of written topics. The next commit names all that a topic lacks that was made again. */
  writesTo(ids: Readonly<Record<string, string>>): void {
    this.#written = { ...this.#written, ...ids };
  }

  /** The note for the group. step: of the last commit. */
  note(step: number): WriterNote {
    return { space: this.space, epoch: this.epoch, step: this.stepBase + step };
  }

  /**
   * Whether the note describes this store's own past, so that the topic holds nothing unknown to the store. Never so for a
   * standby, which may have trained before it leads and published none of that; in a shard not even its space tells.
   */
  wrote(note: WriterNote, step: number): boolean {
    if (this.#role === 'standby') return false;
    const own = this.note(step);
    return note.space === own.space && note.epoch <= own.epoch && note.step <= own.step;
  }
}
