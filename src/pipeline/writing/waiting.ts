import type { EntityKey } from '../../graph/entity.ts';
import { inParts, type OutboxPart } from '../../graph/outbox.ts';

/** Stored names, beyond twice the number that wait, at which sparse parts are written again. */
const SPARE_NAMES = 16_000;

/** A stored part with the number of its names that are neither acknowledged nor in a later part. */
interface OpenPart extends OutboxPart {
  open: number;
}

/** A vector or tombstone to be sent. A vector that moves again while it waits keeps its place. */
export interface Due {
  readonly name: EntityKey;
  /** Arrival of the oldest record behind the vector, epoch ms. */
  readonly since: number | undefined;
  /** Time of the event that moved the vector, epoch ms; undefined where no event named the entity. */
  eventAt: number | undefined;
  /** Newest commit that moved the vector, and its step, under which a tombstone is sent. */
  commit: number;
  step: number;
  /** The entity's row as of that commit; undefined: the entity is gone, and a tombstone is sent. */
  row: number | undefined;
  /** Place of the row among the rows that the commit wrote; −1: the row stands elsewhere in the store. */
  place: number;
  /** The stored part of the outbox that names the entity. */
  part: OpenPart;
  /**
   * over: acknowledged, or moved again while in hand, in which case another entry waits. void: moved again while in
   * hand, and the row is not the entity's any more, so that a read of the row may find another entity's vector.
   */
  state: 'waiting' | 'in hand' | 'over' | 'void';
}

type Put = Pick<Due, 'commit' | 'step' | 'eventAt' | 'row' | 'place' | 'part'>;

/** What a commit leaves to be sent. */
export interface Sent {
  readonly commit: number;
  readonly step: number;
  readonly since?: number | undefined;
  /** In the order of the names, as are the next two: see {@link Due}. */
  readonly rows: readonly (number | undefined)[];
  readonly places?: readonly number[];
  /** Time of the newest event that named each, epoch ms. */
  readonly eventAt?: readonly (number | undefined)[];
}

/** What a commit is to write of the outbox. */
export interface Outbox {
  readonly names: readonly EntityKey[];
  /** In the order of the names: the entry that waits already. */
  readonly found: readonly (Due | undefined)[];
  readonly parts: readonly OpenPart[];
  /** New parts with the names of sparse ones. */
  readonly moved: readonly OpenPart[];
  readonly cleared: readonly OutboxPart[];
  /** Vectors that wait, and stored parts, once the commit is written. */
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

  /** loaded: the stored outbox, which waits from `load` on. */
  constructor(loaded: readonly OutboxPart[] = []) {
    this.#parts = new OutboxParts(loaded);
    this.#loaded = loaded;
  }

  /** Entries, those in hand included. */
  get size(): number {
    return this.#byName.size;
  }

  get inQueue(): number {
    return this.#queue.length - this.#first;
  }

  /** The entry that is sent now, or else next. */
  get first(): Due | undefined {
    return this.#inHand[0] ?? this.#queue[this.#first];
  }

  /** Stored parts that the next commit deletes. */
  get cleared(): number {
    return this.#parts.cleared;
  }

  /**
   * What the next commit writes when it puts up these names. Once it is written, and before another commit, the
   * result goes to `add`.
   */
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

  /** Puts up what a commit wrote. */
  add({ found, parts, moved }: Outbox, { commit, step, since, rows, places, eventAt }: Sent): void {
    let i = 0;
    for (const part of parts) {
      for (const name of part.names) {
        const put = { commit, step, eventAt: eventAt?.[i], row: rows[i], place: places?.[i] ?? -1, part };
        this.#put(name, since, found[i], put);
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
  }

  /** Puts up the stored outbox, as of the head's step. rowOf: the stored row of an entity. */
  load(commit: number, step: number, rowOf: (name: EntityKey) => number | undefined): void {
    for (const loaded of this.#loaded) {
      const part = this.#parts.take(loaded);
      for (const name of part.names) {
        const put = { commit, step, eventAt: undefined, row: rowOf(name), place: -1, part };
        this.#put(name, undefined, this.#byName.get(name), put);
      }
    }
    this.#loaded = [];
  }

  /** Takes the next entries in hand. */
  take(most: number): readonly Due[] {
    const taken = this.#queue.slice(this.#first, this.#first + most);
    for (const due of taken) due.state = 'in hand';
    this.#first += taken.length;
    if (2 * this.#first >= this.#queue.length) {
      // Seldom enough that each entry is moved once on average.
      this.#queue = this.#queue.slice(this.#first);
      this.#first = 0;
    }
    this.#inHand = taken;
    return taken;
  }

  /** Notes that the entries in hand are acknowledged. */
  acknowledged(): void {
    for (const due of this.#inHand) {
      if (due.state !== 'in hand') continue;
      due.state = 'over';
      this.#byName.delete(due.name);
      this.#parts.release(due.part);
    }
    this.#inHand = [];
  }

  /**
   * Puts up a vector or tombstone. An entry that waits already now stands for the new vector as well. Otherwise another is appended
   * behind all others, or vectors that move with each commit would hold up the rest; one in hand is sent as it was.
   */
  #put(name: EntityKey, since: number | undefined, due: Due | undefined, put: Put): void {
    if (due?.state === 'waiting' || due?.state === 'in hand') this.#parts.release(due.part);
    if (due?.state === 'waiting') {
      due.part = put.part;
      due.commit = put.commit;
      due.step = put.step;
      due.row = put.row;
      due.place = put.place;
      due.eventAt ??= put.eventAt;
      return;
    }
    if (due?.state === 'in hand') due.state = due.row === put.row ? 'over' : 'void';
    const added: Due = { name, since, ...put, state: 'waiting' };
    this.#byName.set(name, added);
    this.#queue.push(added);
  }
}

/** The stored parts of the outbox: which may be deleted, and how many names they hold. */
class OutboxParts {
  /** Stored parts once the commit at hand is written. */
  stored: number;
  #next = 1;
  /** Oldest first. */
  readonly #open = new Set<OpenPart>();
  #cleared: OutboxPart[] = [];
  /** Names in the open parts. */
  #names = 0;

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
    this.#names += names.length;
    return part;
  }

  /** Notes that a name of the part is acknowledged, or is in a later part. */
  release(part: OpenPart): void {
    if (--part.open > 0) return;
    this.#open.delete(part);
    this.#names -= part.names.length;
    this.#cleared.push(part);
  }

  /**
   * Sparse parts, oldest first, whose waiting names are to be put into a new part. One vector keeps a whole part of a
   * thousand names, and every commit adds parts while nothing is acknowledged. At most half the names of a sparse
   * part wait, so that names are written again no more often than they are released. waiting: all vectors that wait.
   */
  sparse(waiting: number): OpenPart[] {
    const sparse: OpenPart[] = [];
    let excess = this.#names - 2 * waiting - SPARE_NAMES;
    if (excess <= 0) return sparse;
    for (const part of this.#open) {
      if (2 * part.open > part.names.length) continue;
      sparse.push(part);
      excess -= part.names.length - part.open;
      if (excess <= 0) break;
    }
    return sparse;
  }
}
