import type { EntityKey } from '../../graph/entity.ts';
import type { NumberedPart, OutboxPart } from '../../graph/outbox.ts';
import { type OpenPart, OutboxParts } from './outbox-parts.ts';

/** A vector or tombstone to be sent. One that moves again while it waits stays the same one, and in its place. */
export interface Due {
  readonly name: EntityKey;
  /** Arrival of the oldest record behind it, epoch ms. */
  readonly since: number | undefined;
  /** Time of the event that moved it, epoch ms; undefined where none named it. */
  eventAt: number | undefined;
  /** Newest commit that moved it. */
  commit: number;
  /** The entity's row as of that commit; undefined: the entity is gone, and a tombstone is sent. */
  row: number | undefined;
  /** Where the row is among the rows that the commit wrote; −1: elsewhere in the store. */
  place: number;
  /** The stored part that it keeps. */
  part: OpenPart;
  /**
   * over: acknowledged, or moved again while in hand, and then another one waits. void: the same, and the row is not the
   * entity's any more: what is read of the row now may be the vector of the row's next entity.
   */
  state: 'waiting' | 'in hand' | 'over' | 'void';
}

/** What a commit leaves to be sent. */
export interface Sent {
  readonly commit: number;
  readonly since?: number | undefined;
  /** In the order of the names, as this and the next: see {@link Due}. */
  readonly rows: readonly (number | undefined)[];
  readonly places?: readonly number[];
  /** Time of the newest event that named each, epoch ms. */
  readonly eventAt?: readonly (number | undefined)[];
}

/** What a commit is to write of the outbox. */
export interface Outbox {
  readonly names: readonly EntityKey[];
  /** In the order of the names: those that waited already. */
  readonly found: readonly (Due | undefined)[];
  readonly parts: readonly (OpenPart & NumberedPart)[];
  /** Names of sparse parts, put into new ones. */
  readonly moved: readonly (OpenPart & NumberedPart)[];
  readonly cleared: readonly OutboxPart[];
  /** Once it is written: vectors that wait, and stored parts. */
  readonly waiting: number;
  readonly stored: number;
}

/** Every vector and tombstone not yet acknowledged, in the order in which they are to be sent. */
export class Waiting {
  readonly #parts: OutboxParts;
  readonly #byName = new Map<EntityKey, Due>();
  /** From `#first` on. */
  #queue: Due[] = [];
  #first = 0;
  #inHand: readonly Due[] = [];
  #loaded: readonly OutboxPart[];

  /** loaded: what the store holds. It waits once it is put up. */
  constructor(loaded: readonly OutboxPart[] = []) {
    this.#parts = new OutboxParts(loaded);
    this.#loaded = loaded;
  }

  /** Those in hand included. */
  get size(): number {
    return this.#byName.size;
  }

  get inQueue(): number {
    return this.#queue.length - this.#first;
  }

  /** What is sent, or else to be sent, first. */
  get first(): Due | undefined {
    return this.#inHand[0] ?? this.#queue[this.#first];
  }

  /** Stored parts that the next commit deletes. */
  get cleared(): number {
    return this.#parts.cleared;
  }

  /** What the next commit writes, with these names put up. To be given to `add` once that is written, before another. */
  prepare(names: readonly EntityKey[]): Outbox {
    const found = names.map((name) => this.#byName.get(name));
    let waiting = this.size;
    for (const due of found) if (due === undefined) waiting++;
    const cleared = this.#parts.takeCleared();
    const kept = this.#parts
      .sparse(this.size)
      .flatMap((part) => part.names.filter((name) => this.#byName.get(name)?.part === part));
    const [parts, moved] = [this.#parts.add(names), this.#parts.add(kept)];
    return { names, found, parts, moved, cleared, waiting, stored: this.#parts.stored };
  }

  /** Puts up what a commit wrote. Gives how many vectors each earlier commit has no longer to wait for. */
  add({ found, parts, moved }: Outbox, { commit, since, rows, places, eventAt }: Sent): Map<number, number> {
    const again = new Map<number, number>();
    let i = 0;
    for (const part of parts) {
      for (const name of part.names) {
        const put = { commit, eventAt: eventAt?.[i], row: rows[i], place: places?.[i] ?? -1, part };
        if (!this.#goesOn(found[i], put, again)) this.#append({ name, since, ...put, state: 'waiting' });
        i++;
      }
    }
    for (const part of moved) {
      for (const name of part.names) {
        const due = this.#byName.get(name);
        this.#parts.release(due?.part ?? part);
        if (due) due.part = part;
      }
    }
    return again;
  }

  /** Puts up what was stored when this process began. Gives how many that are. rowOf: the row of an entity as stored. */
  load(commit: number, rowOf: (name: EntityKey) => number | undefined): number {
    const [again, before] = [new Map<number, number>(), this.size];
    for (const loaded of this.#loaded) {
      const part = this.#parts.take(loaded);
      for (const name of part.names) {
        const put = { commit, eventAt: undefined, row: rowOf(name), place: -1, part };
        if (!this.#goesOn(this.#byName.get(name), put, again))
          this.#append({ name, since: undefined, ...put, state: 'waiting' });
      }
    }
    this.#loaded = [];
    return this.size - before;
  }

  /** Those to be sent next, in hand from now on. */
  take(most: number): readonly Due[] {
    const taken = this.#queue.slice(this.#first, this.#first + most);
    for (const due of taken) due.state = 'in hand';
    this.#first += taken.length;
    if (2 * this.#first >= this.#queue.length) {
      // Seldom enough that, on the average, each is moved once.
      this.#queue = this.#queue.slice(this.#first);
      this.#first = 0;
    }
    this.#inHand = taken;
    return taken;
  }

  /** What is in hand is acknowledged. Gives how many vectors each commit has no longer to wait for. */
  acknowledged(): Map<number, number> {
    const by = new Map<number, number>();
    for (const due of this.#inHand) {
      if (due.state !== 'in hand') continue;
      due.state = 'over';
      this.#byName.delete(due.name);
      this.#parts.release(due.part);
      by.set(due.commit, (by.get(due.commit) ?? 0) + 1);
    }
    this.#inHand = [];
    return by;
  }

  /**
   * Whether it waits already, and now for what is put up as well; in hand it is sent as it was, and waits anew.
   * again: counts those that an earlier commit had put up.
   */
  #goesOn(
    due: Due | undefined,
    { commit, eventAt, row, place, part }: Pick<Due, 'commit' | 'eventAt' | 'row' | 'place' | 'part'>,
    again: Map<number, number>,
  ): boolean {
    if (due?.state !== 'waiting' && due?.state !== 'in hand') return false;
    again.set(due.commit, (again.get(due.commit) ?? 0) + 1);
    this.#parts.release(due.part);
    if (due.state === 'in hand') {
      due.state = due.row === row ? 'over' : 'void';
      return false;
    }
    due.part = part;
    due.commit = commit;
    due.row = row;
    due.place = place;
    due.eventAt ??= eventAt;
    return true;
  }

  /** Behind all that waits: else what moves with each commit would be sent again and again, and nothing else. */
  #append(due: Due): void {
    this.#byName.set(due.name, due);
    this.#queue.push(due);
  }
}
