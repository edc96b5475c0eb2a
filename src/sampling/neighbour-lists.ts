import { FatalError } from '../errors.ts';

const CLASSES = 32;
const NO_BLOCK = -1;
const MAX_SLOTS = 2 ** 31 - 1;
const RELATIONS = 256;

/**
 * One list of (neighbour, relation) a row, in flat arrays that grow.
 *
 *     arena:  | row 7's block: 4 slots, 3 used | row 2's block: 1 slot | a free block of 2 | …
 *
 * A block holds 2^k slots and is the row's alone; a full one moves to a block of twice the size, and the old one waits
 * in its size's free list, linked through its first slot. 5 bytes a slot.
 *
 * Sorted, a list is in the order of neighbour, then relation, whatever order its entries came in: that costs a move of half
 * the list with each entry that comes or goes. Otherwise order within a list means nothing.
 */
export class NeighbourLists {
  readonly #start: Int32Array;
  readonly #count: Int32Array;
  /** 0: no block; k: a block of 2^(k - 1) slots. */
  readonly #size: Uint8Array;
  readonly #free = new Int32Array(CLASSES).fill(NO_BLOCK);
  #neighbours = new Int32Array(1024);
  #relations = new Uint8Array(1024);
  #used = 0;
  readonly #sorted: boolean;

  constructor(maxRows: number, { sorted }: { sorted: boolean }) {
    this.#sorted = sorted;
    this.#start = new Int32Array(maxRows);
    this.#count = new Int32Array(maxRows);
    this.#size = new Uint8Array(maxRows);
  }

  /** [slots] the arena's neighbours; a row's are `count(row)` from `start(row)`. Re-take it after `add`. */
  get neighbours(): Int32Array {
    return this.#neighbours;
  }

  /** [slots] relation index of each neighbour. */
  get relations(): Uint8Array {
    return this.#relations;
  }

  start(row: number): number {
    return this.#start[row]!;
  }

  count(row: number): number {
    return this.#count[row]!;
  }

  add(row: number, neighbour: number, relation: number): void {
    const slot = this.#append(row, neighbour, relation);
    if (!this.#sorted) return;
    const place = this.#place(row, neighbour, relation, slot);
    this.#neighbours.copyWithin(place + 1, place, slot);
    this.#relations.copyWithin(place + 1, place, slot);
    this.#neighbours[place] = neighbour;
    this.#relations[place] = relation;
  }

  /** Adds one of many: not in its place before `settle`, which must come before anything else. */
  load(row: number, neighbour: number, relation: number): void {
    this.#append(row, neighbour, relation);
  }

  /** Puts the entries of lists that were loaded in their places. */
  settle(): void {
    if (!this.#sorted) return;
    for (let row = 0; row < this.#count.length; row++) if (this.#count[row]! > 1) this.#sort(row);
  }

  /** Takes one entry out; false when it isn't there. */
  remove(row: number, neighbour: number, relation: number): boolean {
    const slot = this.find(row, neighbour, relation);
    if (slot < 0) return false;
    const left = this.#count[row]! - 1;
    const last = this.#start[row]! + left;
    if (this.#sorted) {
      this.#neighbours.copyWithin(slot, slot + 1, last + 1);
      this.#relations.copyWithin(slot, slot + 1, last + 1);
    } else {
      this.#neighbours[slot] = this.#neighbours[last]!;
      this.#relations[slot] = this.#relations[last]!;
    }
    this.#count[row] = left;
    if (left === 0) {
      this.#release(this.#start[row]!, this.#size[row]!);
      this.#size[row] = 0;
    }
    return true;
  }

  /** Slot of an entry, or -1. */
  find(row: number, neighbour: number, relation: number): number {
    const neighbours = this.#neighbours;
    const relations = this.#relations;
    const start = this.#start[row]!;
    const end = start + this.#count[row]!;
    const from = this.#sorted ? this.#place(row, neighbour, relation, end) : start;
    const to = this.#sorted ? Math.min(end, from + 1) : end;
    for (let slot = from; slot < to; slot++) {
      if (neighbours[slot] === neighbour && relations[slot] === relation) return slot;
    }
    return -1;
  }

  #append(row: number, neighbour: number, relation: number): number {
    const count = this.#count[row]!;
    const size = this.#size[row]!;
    if (size === 0 || count === 2 ** (size - 1)) this.#widen(row);
    const slot = this.#start[row]! + count;
    this.#neighbours[slot] = neighbour;
    this.#relations[slot] = relation;
    this.#count[row] = count + 1;
    return slot;
  }

  /** First slot of a sorted list, up to `end`, whose entry is not before this one. */
  #place(row: number, neighbour: number, relation: number, end: number): number {
    const neighbours = this.#neighbours;
    let low = this.#start[row]!;
    let high = end;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const there = neighbours[middle]!;
      const before = there < neighbour || (there === neighbour && this.#relations[middle]! < relation);
      if (before) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #sort(row: number): void {
    const start = this.#start[row]!;
    const count = this.#count[row]!;
    const keys = new Float64Array(count);
    for (let i = 0; i < count; i++) {
      keys[i] = this.#neighbours[start + i]! * RELATIONS + this.#relations[start + i]!;
    }
    keys.sort();
    for (let i = 0; i < count; i++) {
      this.#neighbours[start + i] = Math.floor(keys[i]! / RELATIONS);
      this.#relations[start + i] = keys[i]! % RELATIONS;
    }
  }

  #widen(row: number): void {
    const size = this.#size[row]! + 1;
    const from = this.#start[row]!;
    const to = this.#take(size);
    const count = this.#count[row]!;
    this.#neighbours.copyWithin(to, from, from + count);
    this.#relations.copyWithin(to, from, from + count);
    if (size > 1) this.#release(from, size - 1);
    this.#start[row] = to;
    this.#size[row] = size;
  }

  #take(size: number): number {
    const free = this.#free[size]!;
    if (free !== NO_BLOCK) {
      this.#free[size] = this.#neighbours[free]!;
      return free;
    }
    const start = this.#used;
    this.#used += 2 ** (size - 1);
    if (this.#used > this.#neighbours.length) this.#grow();
    return start;
  }

  #release(start: number, size: number): void {
    this.#neighbours[start] = this.#free[size]!;
    this.#free[size] = start;
  }

  #grow(): void {
    if (this.#used > MAX_SLOTS) {
      throw new FatalError(
        'known-positives-size',
        `${this.#used} neighbour slots; at most ${MAX_SLOTS} are possible: lower the bound on remembered edges`,
      );
    }
    const slots = Math.min(MAX_SLOTS, Math.max(this.#used, Math.ceil(this.#neighbours.length * 1.5)));
    const neighbours = new Int32Array(slots);
    neighbours.set(this.#neighbours);
    this.#neighbours = neighbours;
    const relations = new Uint8Array(slots);
    relations.set(this.#relations);
    this.#relations = relations;
  }
}
