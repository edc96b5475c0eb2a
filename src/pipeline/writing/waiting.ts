import type { EntityKey } from '../../graph/entity.ts';
import { inSlices, SLICE_PARTS } from '../../graph/graph-store.ts';
import { inParts, type OutboxPart } from '../../graph/outbox.ts';

/** Stored names, beyond twice the number that wait, from which on names of sparse parts are written into new parts. */
const SPARE_NAMES = 16_000;

/** A stored part with the number of its names that are neither acknowledged nor in a later part. */
interface OpenPart extends OutboxPart {
  open: number;
}

/** A vector or tombstone that a commit puts up. */
export interface Put {
  readonly name: EntityKey;
  /** The entity's row as of the commit; undefined: the entity is gone, and a tombstone is sent. */
  readonly row: number | undefined;
  /** Place of the row among the rows that the commit wrote; −1: the row stands elsewhere in the store. */
  readonly place: number;
  /** Time of the newest event that named the entity, epoch ms. */
  readonly eventAt: number | undefined;
}

/** The commit that puts vectors up, and its step, under which tombstones are sent. */
export interface PutBy {
  readonly commit: number;
  readonly step: number;
  /** Arrival of the oldest record behind the commit, epoch ms. */
  readonly since: number | undefined;
}

/** A vector or tombstone to be sent, as of the newest commit that moved it, with the arrival and the event of the oldest. */
export interface Due extends Put, PutBy {
  /** The stored part of the outbox that names the entity. */
  part: OpenPart;
}

/** What a commit is to write of the outbox when it puts vectors up. */
export interface Outbox {
  readonly puts: readonly Put[];
  readonly parts: readonly OpenPart[];
  /** New parts with the names that wait in sparse parts, in place of these. */
  readonly moved: readonly OpenPart[];
  readonly cleared: readonly OutboxPart[];
  /** Vectors that wait, and stored parts, once the commit is written. */
  readonly waiting: number;
  readonly stored: number;
}

/** Every vector and tombstone not yet acknowledged, in the order in which they are to be sent. */
export class Waiting {
  readonly #parts: OutboxParts;
  /** In order: an entry that is put up again while it waits keeps its place. */
  readonly #queue = new Map<EntityKey, Due>();
  /** What was taken last, and the part of it that was not put up again since. */
  #taken: readonly Due[] = [];
  readonly #inHand = new Map<EntityKey, Due>();
  #loaded: readonly OutboxPart[];

  /** loaded: the stored outbox, which waits from `load` on. */
  constructor(loaded: readonly OutboxPart[] = []) {
    this.#parts = new OutboxParts(loaded);
    this.#loaded = loaded;
  }

  /** Entities whose vector or tombstone is not acknowledged. */
  get size(): number {
    return this.#queue.size + this.#inHand.size;
  }

  get inQueue(): number {
    return this.#queue.size;
  }

  /** The entry that is sent now, or else next. */
  get first(): Due | undefined {
    return this.#taken[0] ?? this.#queue.values().next().value;
  }

  /** Stored parts that the next commit deletes. */
  get cleared(): number {
    return this.#parts.cleared;
  }

  /**
   * What the next commit writes when it puts these up, each name once. Once it is written, and before another commit, the result
   * goes to `add`.
   */
  prepare(puts: readonly Put[]): Outbox {
    let waiting = this.size;
    for (const { name } of puts) if (this.#find(name) === undefined) waiting++;
    const cleared = this.#parts.takeCleared();
    // One name keeps a whole part of a thousand, and every commit adds parts while nothing is acknowledged. A commit writes no more
    // names again than it puts up: all that wait, which can be a million, would hold up the event loop for seconds.
    const isSparse = this.#parts.names > 2 * this.size + SPARE_NAMES;
    const names = puts.map(({ name }) => name);
    const own = new Set(isSparse ? names : []);
    const isKept = (name: EntityKey, part: OpenPart) => this.#find(name)?.part === part && !own.has(name);
    const kept = isSparse ? this.#parts.sparse(names.length, isKept) : [];
    const [parts, moved] = [this.#parts.add(names), this.#parts.add(kept)];
    return { puts, parts, moved, cleared, waiting, stored: this.#parts.stored };
  }

  /** Puts up what a commit wrote. Entries may be taken meanwhile. */
  async add({ puts, parts, moved }: Outbox, by: PutBy): Promise<void> {
    let next = 0;
    const put = (part: OpenPart) => {
      for (const _ of part.names) this.#put(puts[next++]!, by, part);
    };
    await inSlices(parts, put, SLICE_PARTS);
    const keep = (part: OpenPart) => {
      for (const name of part.names) {
        const due = this.#find(name);
        this.#parts.release(due?.part ?? part);
        if (due) due.part = part;
      }
    };
    await inSlices(moved, keep, SLICE_PARTS);
  }

  /** Puts up the stored outbox, as of the head's step. rowOf: the stored row of an entity. */
  load(step: number, rowOf: (name: EntityKey) => number | undefined): void {
    for (const loaded of this.#loaded) {
      const part = this.#parts.take(loaded);
      for (const name of part.names) {
        const put = { name, row: rowOf(name), place: -1, eventAt: undefined };
        this.#put(put, { commit: 0, step, since: undefined }, part);
      }
    }
    this.#loaded = [];
  }

  /** Takes the next entries in hand. */
  take(most: number): readonly Due[] {
    this.#taken = this.#queue.values().take(most).toArray();
    for (const due of this.#taken) {
      this.#queue.delete(due.name);
      this.#inHand.set(due.name, due);
    }
    return this.#taken;
  }

  /** Notes that the entries in hand are acknowledged. */
  acknowledged(): void {
    for (const { part } of this.#inHand.values()) this.#parts.release(part);
    this.#inHand.clear();
    this.#taken = [];
  }

  /**
   * Whether an entity in hand lost the row meanwhile, so that a read of the row may find another entity's vector. Its tombstone, or
   * the vector of its new row, waits.
   */
  isVoid({ name, row }: Due): boolean {
    const later = this.#queue.get(name);
    return later !== undefined && later.row !== row;
  }

  #find(name: EntityKey): Due | undefined {
    return this.#queue.get(name) ?? this.#inHand.get(name);
  }

  /**
   * Puts up a vector or tombstone. An entry that waits already then stands for the new vector as well. One in hand is sent as it
   * was, and the new vector waits behind all others: vectors that move with each commit would hold up the rest.
   */
  #put(put: Put, by: PutBy, part: OpenPart): void {
    const { name, row, place } = put;
    const { commit, step } = by;
    const [waiting, inHand] = [this.#queue.get(name), this.#inHand.get(name)];
    for (const known of [waiting, inHand]) if (known) this.#parts.release(known.part);
    this.#inHand.delete(name);
    const { since } = waiting ?? by;
    const eventAt = waiting?.eventAt ?? put.eventAt;
    this.#queue.set(name, { name, row, place, eventAt, commit, step, since, part });
  }
}

/** The stored parts of the outbox: which may be deleted, and how many names they hold. */
class OutboxParts {
  /** Stored parts once the commit at hand is written. */
  stored: number;
  #next = 1;
  #cleared: OutboxPart[] = [];
  /** The parts of which some name waits, oldest first, and the number of their names. */
  readonly #open = new Set<OpenPart>();
  names = 0;

  /** loaded: the parts in the store. */
  constructor(loaded: readonly OutboxPart[] = []) {
    this.stored = loaded.length;
    for (const { number } of loaded) this.#next = Math.max(this.#next, number + 1);
  }

  /** Parts in which no name waits any more. */
  get cleared(): number {
    return this.#cleared.length;
  }

  /** Takes the cleared parts, for the commit at hand to delete. */
  takeCleared(): OutboxPart[] {
    const cleared = this.#cleared;
    this.#cleared = [];
    this.stored -= cleared.length;
    return cleared;
  }

  /** Makes new parts of these names, for the commit at hand to write. */
  add(names: readonly EntityKey[]): OpenPart[] {
    return Array.from(inParts(names), (slice) => {
      this.stored++;
      return this.take({ number: this.#next++, names: slice });
    });
  }

  /** Keeps a part that is stored, or will be with the commit at hand. */
  take({ number, names }: OutboxPart): OpenPart {
    const part = { number, names, open: names.length };
    this.#open.add(part);
    this.names += names.length;
    return part;
  }

  /** The names that wait in the oldest parts of which most names do not: `most` names, and the rest of the last part. */
  sparse(most: number, waits: (name: EntityKey, part: OpenPart) => boolean): EntityKey[] {
    const found: EntityKey[] = [];
    for (const part of this.#open) {
      if (found.length >= most) break;
      if (2 * part.open < part.names.length) found.push(...part.names.filter((name) => waits(name, part)));
    }
    return found;
  }

  /** Notes that a name of the part is acknowledged, or is in a later part. */
  release(part: OpenPart): void {
    if (--part.open > 0) return;
    this.#open.delete(part);
    this.names -= part.names.length;
    this.#cleared.push(part);
  }
}
