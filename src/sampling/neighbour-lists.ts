import { SlotPages, type SlotPagesOptions } from './slot-pages.ts';

/** Block sizes: 2^k slots for k below this. */
const CLASSES = 32;
const RELATIONS = 256;

/**
 * A list of (neighbour, relation) for each row.
 *
 *     a page:   | row 7's block: 4 slots, 3 used | row 2's block of 4 | a free block of 4 | …
 *     pages:    | row 5's block: as many pages as it takes | …
 *
 * A block of 2^k slots belongs to one row; a page has blocks of one size. When a block is full, its entries move to a block
 * of twice the size, and the old block is used again by another row. 5 bytes a slot, in memory or in a file (`SlotPages`).
 *
 * A sorted list is ordered by neighbour, then relation, whatever the order of arrival; each change moves half the list on
 * average. An unsorted list has no defined order.
 */
export class NeighbourLists {
  readonly #pages: SlotPages;
  /** [rows, 2] the start of the row's block and the number of its entries, side by side for one memory access. */
  readonly #lists: Int32Array;
  /** 0: no block; k: a block of 2^(k - 1) slots. */
  readonly #size: Uint8Array;
  /** By size: blocks to be used again; the next new block, and the end of its page. */
  readonly #free: number[][] = Array.from({ length: CLASSES }, () => []);
  readonly #next = new Float64Array(CLASSES);
  readonly #end = new Float64Array(CLASSES);
  readonly #sorted: boolean;
  #rows = 0;

  constructor(maxRows: number, { sorted, ...pages }: SlotPagesOptions & { readonly sorted: boolean }) {
    this.#sorted = sorted;
    this.#pages = new SlotPages(pages);
    this.#lists = new Int32Array(2 * maxRows);
    this.#size = new Uint8Array(maxRows);
  }

  /** The neighbours in memory, indexed by `slot`. Take the array again after `add`. */
  get neighbours(): Int32Array {
    return this.#pages.neighbours;
  }

  /** The relation index of each neighbour. */
  get relations(): Uint8Array {
    return this.#pages.relations;
  }

  /** One more than the highest row that ever had an entry. */
  get rows(): number {
    return this.#rows;
  }

  count(row: number): number {
    return this.#lists[2 * row + 1]!;
  }

  /** The entries of the first `first` rows in total. */
  total(rows: Int32Array, first: number): number {
    const lists = this.#lists;
    let total = 0;
    for (let i = 0; i < first; i++) total += lists[2 * rows[i]! + 1]!;
    return total;
  }

  /** The index of the row's entry `i` in `neighbours` and `relations`, valid until another slot is asked for. */
  slot(row: number, i: number): number {
    return this.#pages.at(this.#lists[2 * row]! + i);
  }

  /** How many of the `left` entries from `slot` on are contiguous: all of them, unless the list is longer than a page. */
  run(slot: number, left: number): number {
    return Math.min(left, this.#pages.pageSlots - (slot & (this.#pages.pageSlots - 1)));
  }

  add(row: number, neighbour: number, relation: number): void {
    const place = this.#sorted ? this.#place(row, neighbour, relation) : this.count(row);
    if (place === this.count(row)) this.load(row, neighbour, relation);
    else this.#insert(row, place, neighbour, relation);
  }

  /** Adds one of many entries, unsorted. `settle` must follow before any other use. */
  load(row: number, neighbour: number, relation: number): void {
    const place = this.#room(row);
    this.#set(this.#changing(row, place), neighbour, relation);
    this.#lists[2 * row + 1] = place + 1;
  }

  /** Sorts the loaded lists. */
  settle(): void {
    if (!this.#sorted) return;
    for (let row = 0; row < this.#rows; row++) if (this.count(row) > 1) this.#sort(row);
  }

  /** Removes an entry; false where there is none. */
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

  /** The place of an entry in its list, or -1. */
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

  /** As `slot`, for an entry that is going to be changed together with what follows it in its page. */
  #changing(row: number, i: number): number {
    return this.#pages.changing(this.#lists[2 * row]! + i);
  }

  #set(slot: number, neighbour: number, relation: number): void {
    this.neighbours[slot] = neighbour;
    this.relations[slot] = relation;
  }

  /** Inserts an entry and shifts the following ones; the last entry of each page becomes the first of the next page. */
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

  /** Closes the gap at a place; the first entry of each following page becomes the last of the page before. */
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

  /** The first place in a sorted list whose entry is not before this entry. */
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

  /** The entries, each as one number that sorts as the entry does. */
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

  /** Makes room for one more entry, and returns the number of entries. */
  #room(row: number): number {
    const count = this.count(row);
    const size = this.#size[row]!;
    if (size > 0 && count < 2 ** (size - 1)) return count;
    if (row >= this.#rows) this.#rows = row + 1;
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
