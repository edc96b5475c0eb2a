import { FatalError } from '../errors/errors.ts';

/** Block sizes: 2^k slots for k below this. */
const CLASSES = 32;
const RELATIONS = 256;
/** A slot's number is an i32. */
const MAX_SLOTS = 2 ** 31;
const LEAST_SLOTS = 1024;

/**
 * A list of (neighbour, relation) for each row.
 *
 *     slots:    | row 7's block: 4 slots, 3 used | row 2's block of 2 | a free block of 4 | …
 *
 * A block of 2^k slots belongs to one row. When a block is full, its entries move to a block of twice the size, and the
 * old block is used again by another row. 5 bytes a slot.
 *
 * A sorted list is ordered by neighbour, then relation, whatever the order of arrival; each change moves half the list on
 * average. An unsorted list has no defined order.
 */
export class NeighbourLists {
  /** [slots] The arrays grow, and are replaced when they do. */
  #neighbours = new Int32Array(LEAST_SLOTS);
  #relations = new Uint8Array(LEAST_SLOTS);
  /** Slots that were ever in a block. */
  #slots = 0;
  /** [rows, 2] the start of the row's block and the number of its entries, side by side for one memory access. */
  readonly #lists: Int32Array;
  /** 0: no block; k: a block of 2^(k - 1) slots. */
  readonly #size: Uint8Array;
  /** By size: blocks to be used again. */
  readonly #free: number[][] = Array.from({ length: CLASSES }, () => []);
  readonly #sorted: boolean;
  #rows = 0;

  constructor(maxRows: number, { sorted }: { readonly sorted: boolean }) {
    this.#sorted = sorted;
    this.#lists = new Int32Array(2 * maxRows);
    this.#size = new Uint8Array(maxRows);
  }

  /** The neighbours, indexed by `slot`. Take the array again after `add`. */
  get neighbours(): Int32Array {
    return this.#neighbours;
  }

  /** The relation index of each neighbour. */
  get relations(): Uint8Array {
    return this.#relations;
  }

  /** One more than the highest row that ever had an entry. */
  get rows(): number {
    return this.#rows;
  }

  count(row: number): number {
    return this.#lists[2 * row + 1]!;
  }

  /** Writes the count of each of the first `rows` rows. No branch waits for a count, so that they come from memory side by side. */
  counts(of: Int32Array, rows: number, counts: Int32Array): void {
    for (let i = 0; i < rows; i++) counts[i] = this.count(of[i]!);
  }

  /** Writes the first neighbour of each in the same way. It is read for the cache alone: where a list is empty, it says nothing. */
  firsts(of: Int32Array, rows: number, firsts: Int32Array): void {
    for (let i = 0; i < rows; i++) firsts[i] = this.#neighbours[this.slot(of[i]!)]!;
  }

  /** The index of the row's first entry in `neighbours` and `relations`; the others follow. */
  slot(row: number): number {
    return this.#lists[2 * row]!;
  }

  /** The lists as they are now: [rows, 2] the start and the length of each, and the entries. */
  copy() {
    return {
      lists: this.#lists.slice(0, 2 * this.#rows),
      neighbours: this.#neighbours.slice(0, this.#slots),
      relations: this.#relations.slice(0, this.#slots),
    };
  }

  add(row: number, neighbour: number, relation: number): void {
    const place = this.#sorted ? this.#place(row, neighbour, relation) : this.count(row);
    const count = this.#room(row);
    const slot = this.slot(row) + place;
    this.#move(slot, slot + 1, count - place);
    this.#set(slot, neighbour, relation);
    this.#lists[2 * row + 1] = count + 1;
  }

  /** Adds entries of a row, unsorted: those from `from` to before `to`. `settle` must follow before any other use. */
  load(row: number, neighbours: Int32Array, relations: Int32Array, from: number, to: number): void {
    const count = this.#room(row, to - from);
    const start = this.slot(row) + count - from;
    for (let i = from; i < to; i++) this.#set(start + i, neighbours[i]!, relations[i]!);
    this.#lists[2 * row + 1] = count + to - from;
  }

  /** Sorts the loaded lists. */
  settle(): void {
    for (let row = 0; row < this.#rows; row++) this.#sort(row);
  }

  /** Fills empty lists that are not sorted with the entries of others the other way round: their rows by neighbour. */
  loadReverse(others: NeighbourLists): void {
    const lists = this.#lists;
    const { neighbours, relations } = others;
    others.#each((_, slot) => {
      lists[2 * neighbours[slot]! + 1]!++;
    });
    for (let row = 0; 2 * row < lists.length; row++) {
      const count = lists[2 * row + 1]!;
      if (count === 0) continue;
      lists[2 * row + 1] = 0;
      this.#room(row, count);
    }
    others.#each((row, slot) => {
      const at = 2 * neighbours[slot]!;
      this.#set(lists[at]! + lists[at + 1]!++, row, relations[slot]!);
    });
  }

  /** Removes an entry; false where there is none. */
  remove(row: number, neighbour: number, relation: number): boolean {
    const place = this.find(row, neighbour, relation);
    if (place < 0) return false;
    const left = this.count(row) - 1;
    const slot = this.slot(row) + place;
    // A sorted list closes the gap; in an unsorted one the last entry fills it.
    if (this.#sorted) this.#move(slot + 1, slot, left - place);
    else this.#move(this.slot(row) + left, slot, 1);
    this.#lists[2 * row + 1] = left;
    if (left === 0) {
      this.#free[this.#size[row]!]!.push(this.slot(row));
      this.#size[row] = 0;
    }
    return true;
  }

  /** The place of an entry in its list, or -1. */
  find(row: number, neighbour: number, relation: number): number {
    const count = this.count(row);
    const from = this.slot(row);
    const [neighbours, relations] = [this.#neighbours, this.#relations];
    if (this.#sorted) {
      const place = this.#place(row, neighbour, relation);
      const there = place < count && neighbours[from + place] === neighbour;
      return there && relations[from + place] === relation ? place : -1;
    }
    for (let i = 0; i < count; i++) {
      if (neighbours[from + i] === neighbour && relations[from + i] === relation) return i;
    }
    return -1;
  }

  #set(slot: number, neighbour: number, relation: number): void {
    this.#neighbours[slot] = neighbour;
    this.#relations[slot] = relation;
  }

  #move(from: number, to: number, count: number): void {
    this.#neighbours.copyWithin(to, from, from + count);
    this.#relations.copyWithin(to, from, from + count);
  }

  /** The first place in a sorted list whose entry is not before this entry. */
  #place(row: number, neighbour: number, relation: number): number {
    const [neighbours, relations] = [this.#neighbours, this.#relations];
    const from = this.slot(row);
    let low = from;
    let high = from + this.count(row);
    while (low < high) {
      const middle = (low + high) >>> 1;
      const there = neighbours[middle]!;
      const before = there < neighbour || (there === neighbour && relations[middle]! < relation);
      if (before) low = middle + 1;
      else high = middle;
    }
    return low - from;
  }

  /** Calls `work` with each row and slot of an entry. */
  #each(work: (row: number, slot: number) => void): void {
    for (let row = 0; row < this.#rows; row++) {
      const end = this.slot(row) + this.count(row);
      for (let slot = this.slot(row); slot < end; slot++) work(row, slot);
    }
  }

  /** An entry as one number that sorts as the entry does. */
  #key(slot: number): number {
    return this.#neighbours[slot]! * RELATIONS + this.#relations[slot]!;
  }

  /** Most lists are sorted as they are loaded. */
  #sort(row: number): void {
    const [from, count] = [this.slot(row), this.count(row)];
    let sorted = 1;
    while (sorted < count && this.#key(from + sorted - 1) <= this.#key(from + sorted)) sorted++;
    if (sorted >= count) return;
    const keys = Float64Array.from({ length: count }, (_, i) => this.#key(from + i)).sort();
    keys.forEach((key, i) => {
      this.#set(from + i, Math.floor(key / RELATIONS), key % RELATIONS);
    });
  }

  /** Makes room for more entries, and returns the number of entries. */
  #room(row: number, more = 1): number {
    const count = this.count(row);
    const size = this.#size[row]!;
    if (size > 0 && count + more <= 2 ** (size - 1)) return count;
    if (row >= this.#rows) this.#rows = row + 1;
    const from = this.slot(row);
    const larger = 33 - Math.clz32(count + more - 1);
    const to = this.#take(larger);
    if (count > 0) this.#move(from, to, count);
    if (size > 0) this.#free[size]!.push(from);
    this.#lists[2 * row] = to;
    this.#size[row] = larger;
    return count;
  }

  /** First slot of a block of 2^(size - 1). */
  #take(size: number): number {
    const used = this.#free[size]!.pop();
    if (used !== undefined) return used;
    const from = this.#slots;
    this.#slots += 2 ** (size - 1);
    if (this.#slots > this.#neighbours.length) this.#grow();
    return from;
  }

  #grow(): void {
    if (this.#slots > MAX_SLOTS) {
      throw new FatalError(
        'known-edges',
        `${this.#slots} places for live edges are needed, and at most ${MAX_SLOTS} are possible: cut the graph into more shards (twhin reshard)`,
      );
    }
    const slots = Math.min(MAX_SLOTS, Math.max(this.#slots, Math.ceil(1.5 * this.#neighbours.length)));
    const [neighbours, relations] = [this.#neighbours, this.#relations];
    this.#neighbours = new Int32Array(slots);
    this.#neighbours.set(neighbours);
    this.#relations = new Uint8Array(slots);
    this.#relations.set(relations);
  }
}
