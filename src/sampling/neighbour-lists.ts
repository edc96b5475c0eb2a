import { FatalError } from '../errors.ts';

const CLASSES = 32;
const NO_BLOCK = -1;
const MAX_SLOTS = 2 ** 31 - 1;

/**
 * One list of (neighbour, relation) a row, in flat arrays that grow.
 *
 *     arena:  | row 7's block: 4 slots, 3 used | row 2's block: 1 slot | a free block of 2 | …
 *
 * A block holds 2^k slots and is the row's alone; a full one moves to a block of twice the size, and the old one waits
 * in its size's free list, linked through its first slot. Order within a list means nothing. 5 bytes a slot.
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

  constructor(maxRows: number) {
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
    const count = this.#count[row]!;
    const size = this.#size[row]!;
    if (size === 0 || count === 2 ** (size - 1)) this.#widen(row);
    const slot = this.#start[row]! + count;
    this.#neighbours[slot] = neighbour;
    this.#relations[slot] = relation;
    this.#count[row] = count + 1;
  }

  /** Takes one entry out; false when it isn't there. */
  remove(row: number, neighbour: number, relation: number): boolean {
    const slot = this.find(row, neighbour, relation);
    if (slot < 0) return false;
    const left = this.#count[row]! - 1;
    const last = this.#start[row]! + left;
    this.#neighbours[slot] = this.#neighbours[last]!;
    this.#relations[slot] = this.#relations[last]!;
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
    for (let slot = start; slot < end; slot++) {
      if (neighbours[slot] === neighbour && relations[slot] === relation) return slot;
    }
    return -1;
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
