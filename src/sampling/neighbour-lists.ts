import { SlotPages, type SlotPagesOptions } from './slot-pages.ts';

/** A block has 2^k slots, k below this. */
const CLASSES = 32;
const RELATIONS = 256;

/**
 * One list of (neighbour, relation) a row.
 *
 *     a page:   | row 7's block: 4 slots, 3 used | row 2's block of 4 | a free block of 4 | …
 *     pages:    | row 5's block: as many pages as it takes | …
 *
 * A block holds 2^k slots and is the row's alone; a page has blocks of one size. A full block's entries move to one of twice the
 * size, and it waits to be used again. 5 bytes a slot, in memory or not (`SlotPages`).
 *
 * Sorted, a list is in the order of neighbour, then relation, whatever order its entries came in: that costs a move of half
 * the list with each entry that comes or goes. Otherwise order within a list means nothing.
 */
export class NeighbourLists {
  readonly #pages: SlotPages;
  /** [rows, 2] where a row's block starts, and how many entries it has: looked at together, of rows far from each other. */
  readonly #lists: Int32Array;
  /** 0: no block; k: a block of 2^(k - 1) slots. */
  readonly #size: Uint8Array;
  /** By size: blocks that were given back, and where the page ends in which there is still room for others. */
  readonly #free: number[][] = Array.from({ length: CLASSES }, () => []);
  readonly #next = new Float64Array(CLASSES);
  readonly #end = new Float64Array(CLASSES);
  readonly #sorted: boolean;

  constructor(maxRows: number, { sorted, ...pages }: SlotPagesOptions & { readonly sorted: boolean }) {
    this.#sorted = sorted;
    this.#pages = new SlotPages(pages);
    this.#lists = new Int32Array(2 * maxRows);
    this.#size = new Uint8Array(maxRows);
  }

  /** The neighbours in memory, see `slot`. Re-take it after `add`. */
  get neighbours(): Int32Array {
    return this.#pages.neighbours;
  }

  /** Relation index of each neighbour. */
  get relations(): Uint8Array {
    return this.#pages.relations;
  }

  count(row: number): number {
    return this.#lists[2 * row + 1]!;
  }

  /** Entries of the first so many of the rows in all; a row that has more than `most` counts for none. */
  total(rows: Int32Array, first: number, most: number): number {
    const lists = this.#lists;
    let total = 0;
    for (let i = 0; i < first; i++) {
      const count = lists[2 * rows[i]! + 1]!;
      if (count <= most) total += count;
    }
    return total;
  }

  /** Where the row's entry `i` is in `neighbours` and `relations`, until any other entry is asked for. */
  slot(row: number, i: number): number {
    return this.#pages.at(this.#lists[2 * row]! + i);
  }

  /** Of so many entries from that slot on, how many lie one behind the other: all but those of the longest lists. */
  run(slot: number, left: number): number {
    return Math.min(left, this.#pages.pageSlots - (slot & (this.#pages.pageSlots - 1)));
  }

  add(row: number, neighbour: number, relation: number): void {
    const place = this.#sorted ? this.#place(row, neighbour, relation) : this.count(row);
    if (place === this.count(row)) this.load(row, neighbour, relation);
    else this.#insert(row, place, neighbour, relation);
  }

  /** Adds one of many: not in its place before `settle`, which must come before anything else. */
  load(row: number, neighbour: number, relation: number): void {
    const place = this.#room(row);
    this.#set(this.#changing(row, place), neighbour, relation);
    this.#lists[2 * row + 1] = place + 1;
  }

  /** Puts the entries of lists that were loaded in their places. */
  settle(): void {
    if (!this.#sorted) return;
    for (let row = 0; row < this.#size.length; row++) if (this.count(row) > 1) this.#sort(row);
  }

  /** Takes one entry out; false when it isn't there. */
  remove(row: number, neighbour: number, relation: number): boolean {
    const place = this.find(row, neighbour, relation);
    if (place < 0) return false;
    if (this.#sorted) this.#close(row, place);
    else this.#moveLast(row, place);
    if (--this.#lists[2 * row + 1]! === 0) {
      this.#free[this.#size[row]!]!.push(this.#lists[2 * row]!);
      this.#size[row] = 0;
    }
    return true;
  }

  /** Place of an entry in its list, or -1. */
  find(row: number, neighbour: number, relation: number): number {
    const count = this.count(row);
    const { neighbours, relations } = this;
    if (this.#sorted) {
      const place = this.#place(row, neighbour, relation);
      if (place === count) return -1;
      const slot = this.slot(row, place);
      return neighbours[slot] === neighbour && relations[slot] === relation ? place : -1;
    }
    for (let from = 0; from < count; ) {
      const slot = this.slot(row, from);
      const run = this.run(slot, count - from);
      for (let i = 0; i < run; i++) {
        if (neighbours[slot + i] === neighbour && relations[slot + i] === relation) return from + i;
      }
      from += run;
    }
    return -1;
  }

  /** As `slot`, of an entry that is going to be changed, and what follows it in its page. */
  #changing(row: number, i: number): number {
    return this.#pages.changing(this.#lists[2 * row]! + i);
  }

  #set(slot: number, neighbour: number, relation: number): void {
    this.neighbours[slot] = neighbour;
    this.relations[slot] = relation;
  }

  /** Puts an entry at its place and moves those from there on by one: in each page, its last is the next one's first. */
  #insert(row: number, place: number, neighbour: number, relation: number): void {
    const count = this.#room(row);
    let [ofNeighbour, ofRelation] = [neighbour, relation];
    for (let from = place; from <= count; ) {
      const slot = this.#changing(row, from);
      const run = this.run(slot, count + 1 - from);
      const last = slot + run - 1;
      const [nextNeighbour, nextRelation] = [this.neighbours[last]!, this.relations[last]!];
      this.neighbours.copyWithin(slot + 1, slot, last);
      this.relations.copyWithin(slot + 1, slot, last);
      this.#set(slot, ofNeighbour, ofRelation);
      [ofNeighbour, ofRelation] = [nextNeighbour, nextRelation];
      from += run;
    }
    this.#lists[2 * row + 1] = count + 1;
  }

  /** Moves those behind a place by one to the front: in each page, the next one's first is its last. */
  #close(row: number, place: number): void {
    const count = this.count(row);
    for (let from = place; from < count; ) {
      const run = this.run(this.slot(row, from), count - from);
      const beyond = from + run < count ? this.slot(row, from + run) : undefined;
      const [neighbour, relation] =
        beyond === undefined ? [0, 0] : [this.neighbours[beyond]!, this.relations[beyond]!];
      const slot = this.#changing(row, from);
      this.neighbours.copyWithin(slot, slot + 1, slot + run);
      this.relations.copyWithin(slot, slot + 1, slot + run);
      if (beyond !== undefined) this.#set(slot + run - 1, neighbour, relation);
      from += run;
    }
  }

  #moveLast(row: number, place: number): void {
    const last = this.slot(row, this.count(row) - 1);
    const [neighbour, relation] = [this.neighbours[last]!, this.relations[last]!];
    this.#set(this.#changing(row, place), neighbour, relation);
  }

  /** First place of a sorted list whose entry is not before this one. */
  #place(row: number, neighbour: number, relation: number): number {
    const { neighbours, relations } = this;
    let low = 0;
    let high = this.count(row);
    while (low < high) {
      const middle = (low + high) >>> 1;
      const slot = this.slot(row, middle);
      const there = neighbours[slot]!;
      const before = there < neighbour || (there === neighbour && relations[slot]! < relation);
      if (before) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #sort(row: number): void {
    const count = this.count(row);
    const keys = this.#copy(row, count).sort();
    for (let from = 0; from < count; ) {
      const slot = this.#changing(row, from);
      const run = this.run(slot, count - from);
      for (let i = 0; i < run; i++) {
        const key = keys[from + i]!;
        this.#set(slot + i, Math.floor(key / RELATIONS), key % RELATIONS);
      }
      from += run;
    }
  }

  /** Each entry as one number, by which they are in order. */
  #copy(row: number, count: number): Float64Array {
    const keys = new Float64Array(count);
    for (let from = 0; from < count; ) {
      const slot = this.slot(row, from);
      const run = this.run(slot, count - from);
      for (let i = 0; i < run; i++) {
        keys[from + i] = this.neighbours[slot + i]! * RELATIONS + this.relations[slot + i]!;
      }
      from += run;
    }
    return keys;
  }

  /** How many entries the row has, with room for one more. */
  #room(row: number): number {
    const count = this.count(row);
    const size = this.#size[row]!;
    if (size > 0 && count < 2 ** (size - 1)) return count;
    const from = this.#lists[2 * row]!;
    const to = this.#take(size + 1);
    for (let i = 0; i < count; i++) {
      const slot = this.#pages.at(from + i);
      const [neighbour, relation] = [this.neighbours[slot]!, this.relations[slot]!];
      this.#set(this.#pages.changing(to + i), neighbour, relation);
    }
    if (size > 0) this.#free[size]!.push(from);
    this.#lists[2 * row] = to;
    this.#size[row] = size + 1;
    return count;
  }

  /** First slot of a block of 2^(size - 1). */
  #take(size: number): number {
    const { pageSlots } = this.#pages;
    const free = this.#free[size]!.pop();
    if (free !== undefined) return free;
    const slots = 2 ** (size - 1);
    if (this.#next[size] === this.#end[size]) {
      this.#next[size] = this.#pages.add(Math.ceil(slots / pageSlots)) * pageSlots;
      this.#end[size] = this.#next[size]! + Math.max(slots, pageSlots);
    }
    const start = this.#next[size]!;
    this.#next[size] = start + slots;
    return start;
  }
}
