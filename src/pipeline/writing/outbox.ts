import { PagedNumbers } from '../../graph/paged-numbers.ts';
import { endsSlice, nextTurn } from '../../graph/turns.ts';
import type { Message } from '../ports.ts';

/** Blocks of memory that are kept for the vectors of commits to come, and the most bytes of one. */
const [KEPT_BLOCKS, KEPT_BYTES] = [4, 16 * 2 ** 20];

/** The commit that puts something up. */
export interface PutBy {
  /** Number of the commit. */
  readonly commit: number;
  readonly step: number;
  /** Arrival of the oldest record behind the commit, epoch ms. */
  readonly since: number | undefined;
}

/** What a commit puts up: vectors, and tombstones after them. Its memory is the publisher's. */
export interface Puts {
  readonly by: PutBy;
  /** [n] the rows of the vectors. */
  readonly rows: Int32Array;
  /** [n, dim] in the order of bytes in which vectors are published, little-endian. */
  readonly vectors: Float32Array<ArrayBuffer>;
  /** The keys of all, one behind the other; where each begins, and where the last ends. Nothing is put up where a key has no bytes. */
  readonly keys: Buffer;
  readonly keysAt: Uint32Array;
  /** Time of the newest event that named each entity, epoch ms; NaN where none of the commit did. */
  readonly eventsAt: Float64Array;
  /** How many of them are not acknowledged, and not put up anew: all at first. */
  left: number;
}

/**
 * What is being sent and what waits, in order and in columns: an object for each would be hundreds of thousands that live long. One
 * that is put up again keeps its turn, and its age. No entity waits twice: a send whose answer was lost is repeated whole, and may be
 * committed already. It would go back to an older record.
 */
export class Outbox {
  /** Vectors and tombstones that were acknowledged. */
  acknowledged = 0;
  /** Memory of vectors that were sent: blocks of megabytes that are left to the garbage collector make it run for each few of them. */
  readonly spent: Float32Array<ArrayBuffer>[] = [];
  /** Which commit has the newest of each turn, and where; undefined: it is forgotten. */
  readonly #of: (Puts | undefined)[] = [];
  readonly #places: number[] = [];
  /** The oldest commit of which it was not acknowledged, and the event behind that. */
  readonly #by: PutBy[] = [];
  readonly #eventsAt: number[] = [];
  /** By row: the turn of the newest, counted from 1 over all that was ever put up. A look by name takes ten times as long. */
  readonly #turns = new PagedNumbers((rows) => new Float64Array(rows));
  /** By name: the turn of each tombstone that waits or is being sent, ascending. Its entity has no row. */
  readonly #gone = new Map<string, number>();
  /** Turns that are over. */
  #over = 0;
  /** Turns that are being sent, how many messages these are, and how many of their entities wait again. */
  #taken = 0;
  #inHand = 0;
  #again = 0;
  #forgotten = 0;

  /** Entities of which something is not yet acknowledged. */
  get size(): number {
    return Math.max(this.#inHand, this.#of.length - this.#forgotten - this.#again);
  }

  /** Arrival of the oldest record whose vector waits, epoch ms; undefined where no vector waits. */
  get oldest(): number | undefined {
    return this.#first?.since;
  }

  /** The oldest commit of which something is not acknowledged; Infinity where nothing waits. */
  get oldestCommit(): number {
    return this.#first?.commit ?? Number.POSITIVE_INFINITY;
  }

  /** Whether no turn is left, those of what is forgotten included. */
  get isEmpty(): boolean {
    return this.#of.length === 0;
  }

  /** Lets go of what waits of rows that a commit freed, before it puts up what becomes of their entities: its entry in the journal names them. */
  forget(rows: Iterable<number>): void {
    for (const row of rows) {
      const at = this.#turns.get(row) - 1 - this.#over;
      if (at < 0) continue;
      this.#turns.set(row, 0);
      if (at < this.#taken) this.#again++;
      else {
        this.#drop(this.#of[at]);
        this.#of[at] = undefined;
        this.#forgotten++;
      }
    }
  }

  /** Puts up what a commit wrote, each entity once. */
  async add(puts: Puts): Promise<void> {
    const { keysAt } = puts;
    const before = this.#turns.getMany(puts.rows);
    for (let place = 0; place < keysAt.length - 1; place++) {
      if (keysAt[place]! < keysAt[place + 1]!) this.#add(puts, place, before[place]);
      else this.#drop(puts);
      if (endsSlice(place)) await nextTurn();
    }
  }

  /** before: the turn of what was put up of the row; 0: nothing was, or it has no row. */
  #add(puts: Puts, place: number, before = 0): void {
    const eventAt = puts.eventsAt[place]!;
    const row = puts.rows[place];
    // Few commits erase anything, so that hardly any vector needs its name.
    const name = row === undefined || this.#gone.size > 0 ? `${keyOf(puts, place)}` : '';
    const at = (this.#gone.get(name) ?? before) - 1 - this.#over;
    const isWaiting = at >= this.#taken;
    const turn = this.#over + (isWaiting ? at : this.#of.length) + 1;
    if (row !== undefined || !isWaiting) this.#gone.delete(name);
    if (row === undefined) this.#gone.set(name, turn);
    else this.#turns.set(row, turn);
    if (isWaiting) {
      this.#drop(this.#of[at]);
      this.#of[at] = puts;
      this.#places[at] = place;
      if (Number.isNaN(this.#eventsAt[at])) this.#eventsAt[at] = eventAt;
      return;
    }
    if (at >= 0) this.#again++;
    this.#of.push(puts);
    this.#places.push(place);
    this.#by.push(puts.by);
    this.#eventsAt.push(eventAt);
  }

  /** Takes the first turns, `most` at a time, to be sent. Gives a message for each that is not forgotten. */
  take(most: number, messageOf: (of: Puts, place: number) => Message): Message[] {
    const taken = Math.min(this.#of.length, most);
    const messages: Message[] = [];
    for (let at = 0; at < taken; at++) {
      const of = this.#of[at];
      if (of !== undefined) messages.push(messageOf(of, this.#places[at]!));
    }
    [this.#taken, this.#inHand] = [taken, messages.length];
    return messages;
  }

  /** Ends the turns that were taken. told: hears when the record behind each arrived, and the time of its event, epoch ms; NaN: none. */
  async acknowledge(told: (since: number, eventAt: number) => void): Promise<void> {
    const taken = this.#taken;
    for (let at = 0; at < taken; at++) {
      const { since } = this.#by[at]!;
      this.#drop(this.#of[at]);
      if (since !== undefined && this.#of[at] !== undefined) told(since, this.#eventsAt[at]!);
      if (endsSlice(at)) await nextTurn();
    }
    for (const column of [this.#of, this.#places, this.#by, this.#eventsAt]) column.splice(0, taken);
    this.#over += taken;
    for (const [name, turn] of this.#gone) {
      if (turn > this.#over) break;
      this.#gone.delete(name);
    }
    this.#forgotten -= taken - this.#inHand;
    this.acknowledged += this.#inHand;
    [this.#taken, this.#inHand, this.#again] = [0, 0, 0];
  }

  /** Lets go of one of what a commit put up. */
  #drop(of: Puts | undefined): void {
    if (of === undefined || --of.left > 0 || this.spent.length >= KEPT_BLOCKS) return;
    const { buffer } = of.vectors;
    if (buffer.byteLength <= KEPT_BYTES) this.spent.push(new Float32Array(buffer));
  }

  get #first(): PutBy | undefined {
    let at = 0;
    while (at < this.#of.length && this.#of[at] === undefined) at++;
    return this.#by[at];
  }
}

/** The key of what is put up at this place: a view. */
export function keyOf({ keys, keysAt }: Puts, place: number): Buffer {
  return keys.subarray(keysAt[place], keysAt[place + 1]);
}
