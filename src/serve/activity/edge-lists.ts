import { PagedNumbers } from '../../graph/paged-numbers.ts';
import type { EntityIds } from '../entity-ids.ts';

/** Records of a page, unless a block of records is larger. */
const PAGE_RECORDS = 2_048;
/** Lists of a page. */
const LIST_BITS = 10;
const PAGE_LISTS = 2 ** LIST_BITS;
/** Fields of a list, int32. */
const [OWNER, CLASS, PLACE, LENGTH, COUNT, BEFORE, AFTER, INCOMPLETE] = [0, 1, 2, 3, 4, 5, 6, 7];
const FIELDS = 8;
const NONE = -1;
const QUEUES = [0, 1];
/** A loop copies so few records faster than four calls into V8 do. */
const BY_HAND = 32;
const HIGH = 2 ** 32;
/** The time has 44 bits; the four above are the record's flags. */
const [TIME_BITS, TIME_MASK] = [12, 0xfff];
/** The latest time that a record can have, epoch ms: in the year 2527. */
export const MOST_AT = 2 ** 44 - 1;

class SizeClass {
  readonly size: number;
  readonly perPage: number;
  readonly pages: Page[] = [];
  /** Blocks in use; they are the first ones. */
  count = 0;

  constructor(size: number) {
    this.size = size;
    this.perPage = Math.max(1, Math.floor(PAGE_RECORDS / size));
  }
}

/** Some blocks of one size, as struct of arrays. */
class Page {
  readonly buffer: ArrayBuffer;
  /** By block: the list that it belongs to. */
  readonly lists: Int32Array;
  readonly others: Int32Array;
  readonly lows: Uint32Array;
  readonly highs: Uint16Array;
  readonly kinds: Uint8Array;

  constructor({ size, perPage }: SizeClass) {
    const records = size * perPage;
    this.buffer = new ArrayBuffer(4 * perPage + 11 * records);
    this.lists = new Int32Array(this.buffer, 0, perPage);
    this.others = new Int32Array(this.buffer, 4 * perPage, records);
    this.lows = new Uint32Array(this.buffer, 4 * perPage + 4 * records, records);
    this.highs = new Uint16Array(this.buffer, 4 * perPage + 8 * records, records);
    this.kinds = new Uint8Array(this.buffer, 4 * perPage + 10 * records, records);
  }

  copy(from: Page, source: number, target: number, length: number): void {
    if (length > BY_HAND) {
      this.others.set(from.others.subarray(source, source + length), target);
      this.lows.set(from.lows.subarray(source, source + length), target);
      this.highs.set(from.highs.subarray(source, source + length), target);
      this.kinds.set(from.kinds.subarray(source, source + length), target);
      return;
    }
    const { others, lows, highs, kinds } = this;
    for (let i = 0; i < length; i++) {
      others[target + i] = from.others[source + i]!;
      lows[target + i] = from.lows[source + i]!;
      highs[target + i] = from.highs[source + i]!;
      kinds[target + i] = from.kinds[source + i]!;
    }
  }

  /** Moves the records from `source` to before `end`, also onto some of themselves. */
  shift(source: number, end: number, target: number): void {
    this.others.copyWithin(target, source, end);
    this.lows.copyWithin(target, source, end);
    this.highs.copyWithin(target, source, end);
    this.kinds.copyWithin(target, source, end);
  }

  write(place: number, other: number, kind: number, at: number, flags: number): void {
    this.others[place] = other;
    this.kinds[place] = kind;
    this.highs[place] = flags << TIME_BITS;
    this.writeTime(place, at);
  }

  writeTime(place: number, at: number): void {
    const time = Math.min(at, MOST_AT);
    this.lows[place] = time >>> 0;
    this.highs[place] = (this.highs[place]! & ~TIME_MASK) | Math.floor(time / HIGH);
  }
}

/** The records of a list, in order. Valid until the lists change. */
export class Records {
  readonly length: number;
  readonly #page: Page;
  readonly #start: number;

  constructor(page: Page, start: number, length: number) {
    this.#page = page;
    this.#start = start;
    this.length = length;
  }

  other(i: number): number {
    return this.#page.others[this.#start + i]!;
  }

  kind(i: number): number {
    return this.#page.kinds[this.#start + i]!;
  }

  flags(i: number): number {
    return this.#page.highs[this.#start + i]! >> TIME_BITS;
  }

  at(i: number): number {
    return (this.#page.highs[this.#start + i]! & TIME_MASK) * HIGH + this.#page.lows[this.#start + i]!;
  }
}

/**
 * A list of records for each of many entities, its owners. A record is another entity with a kind, a time and flags, 11 bytes
 * outside V8's heap. Blocks of one size lie one after the other without a gap: the last one moves into the place of a block that
 * is given up. Rejected: free lists of blocks. When all lists grow at the same pace, the sizes that they have left behind take
 * several times the memory of those in use.
 *
 * Each list stands in one of two queues; the caller decides who moves to the end, and takes from the front.
 */
export class EdgeLists {
  readonly #ids: EntityIds;
  /** By owner: the list, or 0, the number of a queue. */
  readonly #listOf = new PagedNumbers((ids) => new Int32Array(ids));
  readonly #classes: SizeClass[] = [];
  /** [lists, FIELDS] by page. Lists 0 and 1 are the queues: a queue is a ring that begins with itself. */
  readonly #fields: Int32Array[] = [];
  /** [lists] by page: the caller's time. */
  readonly #times: Float64Array[] = [];
  /** Lists that were ever opened are below. */
  #end = 0;
  #free = NONE;

  constructor(ids: EntityIds) {
    this.#ids = ids;
    for (const queue of QUEUES) this.#clear(this.#newList(), queue);
  }

  /** Memory in bytes, names excluded. */
  get bytes(): number {
    let sum = this.#listOf.bytes + this.#fields.length * PAGE_LISTS * (4 * FIELDS + 8);
    // A size that no list has had leaves a hole.
    this.#classes.forEach(({ pages }) => {
      for (const { buffer } of pages) sum += buffer.byteLength;
    });
    return sum;
  }

  /** The list of an owner, or -1; it is -1 for the owner -1. */
  find(owner: number): number {
    return (owner >= 0 && this.#listOf.get(owner)) || NONE;
  }

  /** The list of an owner. A new one is empty, and in no queue. */
  open(owner: number): number {
    const known = this.#listOf.get(owner);
    if (known > 0) return known;
    const list = this.#newList();
    this.#clear(list, owner);
    this.#ids.holdAgain(owner);
    this.#listOf.set(owner, list);
    return list;
  }

  close(list: number): void {
    this.keep(list, () => false);
    this.#unlink(list);
    const owner = this.#get(list, OWNER);
    this.#listOf.set(owner, 0);
    this.#ids.release(owner);
    this.#set(list, OWNER, this.#free);
    this.#free = list;
  }

  ownerOf(list: number): number {
    return this.#get(list, OWNER);
  }

  lengthOf(list: number): number {
    return this.#get(list, LENGTH);
  }

  /** None for the list -1. */
  recordsOf(list: number): Records {
    const length = list < 0 ? 0 : this.#get(list, LENGTH);
    return length === 0 ? NO_RECORDS : new Records(this.#pageOf(list), this.#startOf(list), length);
  }

  /** The first record with that entity and kind and, of the flags in `mask`, with those given; or -1, as for the list -1. */
  indexOf(list: number, other: number, kind: number, mask = 0, flags = 0): number {
    const length = list < 0 ? 0 : this.#get(list, LENGTH);
    if (length === 0) return NONE;
    const { others, kinds, highs } = this.#pageOf(list);
    const start = this.#startOf(list);
    const end = start + length;
    for (let i = start; i < end; i++)
      if (others[i] === other && kinds[i] === kind && ((highs[i]! >> TIME_BITS) & mask) === flags)
        return i - start;
    return NONE;
  }

  /** Adds a record at the place `i`, at the end unless given. other: -1 for none. */
  add(list: number, other: number, kind: number, at: number, flags = 0, i = this.#get(list, LENGTH)): void {
    const length = this.#get(list, LENGTH);
    const size = length === 0 ? 0 : this.#classes[this.#get(list, CLASS)]!.size;
    if (length === size) this.#move(list, classOf(length + 1));
    const page = this.#pageOf(list);
    const start = this.#startOf(list);
    if (i < length) page.shift(start + i, start + length, start + i + 1);
    page.write(start + i, other, kind, at, flags);
    this.#set(list, LENGTH, length + 1);
    if (other >= 0) this.#ids.holdAgain(other);
  }

  setAt(list: number, i: number, at: number): void {
    this.#pageOf(list).writeTime(this.#startOf(list) + i, at);
  }

  /** Removes `count` records from the place `i` on. */
  remove(list: number, i: number, count = 1): void {
    const length = this.#get(list, LENGTH);
    const page = this.#pageOf(list);
    const start = this.#startOf(list);
    for (let k = start + i; k < start + i + count; k++) {
      const other = page.others[k]!;
      if (other >= 0) this.#ids.release(other);
    }
    if (i + count < length) page.shift(start + i + count, start + length, start + i);
    this.#shorten(list, length - count);
  }

  keep(list: number, isKept: (records: Records, i: number) => boolean): void {
    const records = this.recordsOf(list);
    if (records.length === 0) return;
    const page = this.#pageOf(list);
    const start = this.#startOf(list);
    let kept = 0;
    for (let i = 0; i < records.length; i++) {
      if (!isKept(records, i)) {
        const other = records.other(i);
        if (other >= 0) this.#ids.release(other);
      } else {
        if (kept < i) page.copy(page, start + i, start + kept, 1);
        kept++;
      }
    }
    this.#shorten(list, kept);
  }

  toEnd(list: number, queue: number): void {
    this.#unlink(list);
    const last = this.#get(queue, BEFORE);
    this.#set(list, BEFORE, last);
    this.#set(list, AFTER, queue);
    this.#set(last, AFTER, list);
    this.#set(queue, BEFORE, list);
  }

  /** The list at the front of a queue, or -1. */
  first(queue: number): number {
    const first = this.#get(queue, AFTER);
    return first === queue ? NONE : first;
  }

  /** A number that the caller keeps with a list; 0 at first. */
  countOf(list: number): number {
    return this.#get(list, COUNT);
  }

  setCount(list: number, count: number): void {
    this.#set(list, COUNT, count);
  }

  /** A time that the caller keeps with a list; 0 at first. */
  timeOf(list: number): number {
    return this.#times[list >> LIST_BITS]![list & (PAGE_LISTS - 1)]!;
  }

  setTime(list: number, at: number): void {
    this.#times[list >> LIST_BITS]![list & (PAGE_LISTS - 1)] = at;
  }

  /** Whether records of the list were forgotten; false for the list -1. */
  isIncomplete(list: number): boolean {
    return list >= 0 && this.#get(list, INCOMPLETE) !== 0;
  }

  setIncomplete(list: number): void {
    this.#set(list, INCOMPLETE, 1);
  }

  #get(list: number, field: number): number {
    return this.#fields[list >> LIST_BITS]![FIELDS * (list & (PAGE_LISTS - 1)) + field]!;
  }

  #set(list: number, field: number, value: number): void {
    this.#fields[list >> LIST_BITS]![FIELDS * (list & (PAGE_LISTS - 1)) + field] = value;
  }

  #pageOf(list: number): Page {
    const { pages, perPage } = this.#classes[this.#get(list, CLASS)]!;
    return pages[Math.floor(this.#get(list, PLACE) / perPage)]!;
  }

  #startOf(list: number): number {
    const { size, perPage } = this.#classes[this.#get(list, CLASS)]!;
    return size * (this.#get(list, PLACE) % perPage);
  }

  #newList(): number {
    const free = this.#free;
    if (free >= 0) {
      this.#free = this.#get(free, OWNER);
      return free;
    }
    if (this.#end % PAGE_LISTS === 0) {
      this.#fields.push(new Int32Array(FIELDS * PAGE_LISTS));
      this.#times.push(new Float64Array(PAGE_LISTS));
    }
    return this.#end++;
  }

  #clear(list: number, owner: number): void {
    for (let field = 0; field < FIELDS; field++) this.#set(list, field, 0);
    this.#set(list, OWNER, owner);
    this.#set(list, BEFORE, list);
    this.#set(list, AFTER, list);
    this.setTime(list, 0);
  }

  #unlink(list: number): void {
    const [before, after] = [this.#get(list, BEFORE), this.#get(list, AFTER)];
    this.#set(before, AFTER, after);
    this.#set(after, BEFORE, before);
    this.#set(list, BEFORE, list);
    this.#set(list, AFTER, list);
  }

  /** A list that has lost half of its records moves to a smaller block: one at a bound comes and goes by one. */
  #shorten(list: number, length: number): void {
    const { size } = this.#classes[this.#get(list, CLASS)]!;
    this.#set(list, LENGTH, length);
    if (length === 0) this.#giveUp(this.#get(list, CLASS), this.#get(list, PLACE));
    else if (2 * length <= size) this.#move(list, classOf(length));
  }

  #move(list: number, to: number): void {
    const length = this.#get(list, LENGTH);
    const sizes = this.#classes[to] ?? new SizeClass(sizeOf(to));
    this.#classes[to] = sizes;
    const place = sizes.count++;
    if (place === sizes.pages.length * sizes.perPage) sizes.pages.push(new Page(sizes));
    const page = sizes.pages[Math.floor(place / sizes.perPage)]!;
    const block = place % sizes.perPage;
    page.lists[block] = list;
    const [from, before] = [this.#get(list, CLASS), this.#get(list, PLACE)];
    if (length > 0) page.copy(this.#pageOf(list), this.#startOf(list), block * sizes.size, length);
    this.#set(list, CLASS, to);
    this.#set(list, PLACE, place);
    if (length > 0) this.#giveUp(from, before);
  }

  /** The last block of the size takes the place. One empty page is kept, unless it is for one block. */
  #giveUp(of: number, place: number): void {
    const sizes = this.#classes[of]!;
    const { pages, perPage, size } = sizes;
    const last = --sizes.count;
    if (place !== last) {
      const [from, to] = [pages[Math.floor(last / perPage)]!, pages[Math.floor(place / perPage)]!];
      const list = from.lists[last % perPage]!;
      to.lists[place % perPage] = list;
      to.copy(from, size * (last % perPage), size * (place % perPage), size);
      this.#set(list, PLACE, place);
    }
    if (pages.length > Math.ceil(last / perPage) + (perPage > 1 ? 1 : 0)) pages.pop();
  }
}

const NO_RECORDS = new Records(new Page(new SizeClass(1)), 0, 0);

/** The number of the smallest size for so many records: all sizes up to 16, then eight from each power of two to the next. */
function classOf(length: number): number {
  if (length <= 16) return length;
  const power = 31 - Math.clz32(length - 1);
  return 16 + 8 * (power - 4) + Math.ceil(length / 2 ** (power - 3)) - 8;
}

function sizeOf(number: number): number {
  if (number <= 16) return number;
  const power = 4 + Math.floor((number - 17) / 8);
  return 2 ** (power - 3) * (9 + ((number - 17) % 8));
}
