import { FatalError } from '../errors/errors.ts';

/** The pages that are not in memory. */
export interface PageFile {
  /** Writes a page: two arrays with one element per slot. */
  write(page: number, neighbours: Int32Array, relations: Uint8Array): void;
  /** Fills the arrays with a written page. */
  read(page: number, neighbours: Int32Array, relations: Uint8Array): void;
}

export interface SlotPagesOptions {
  /** A power of two. */
  readonly pageSlots?: number;
  /** Most bytes in memory; further pages are in the file, which is made when the first page is written. Default: no limit. */
  readonly inMemory?: { readonly bytes: number; readonly file: () => PageFile } | undefined;
}

/** 2.5 KiB a page: enough for a few hundred neighbours, and read in one or two microseconds. */
const PAGE_SLOTS = 512;
/** A slot's number is an i32. */
const MAX_SLOTS = 2 ** 31;
/** With fewer frames, pages would be read and written all the time. */
const LEAST_FRAMES = 4;
/** A neighbour and its relation. */
const SLOT_BYTES = 5;
const OUT = -1;
const USED = 1;
const CHANGED = 2;

/**
 * Slots of (neighbour, relation) in pages. Pages in memory are in frames of two flat arrays. When all frames are taken, a
 * needed page replaces one that was not used for a while (the clock algorithm: Corbato 1968). Methods return an index into
 * both arrays that is valid until the next call.
 */
export class SlotPages {
  readonly pageSlots: number;
  readonly #shift: number;
  readonly #most: number;
  readonly #makeFile: (() => PageFile) | undefined;
  #file: PageFile | undefined;
  #pages = 0;
  #frames = 0;
  #neighbours: Int32Array;
  #relations: Uint8Array;
  /** By page: its frame, or OUT. By frame: its page, and USED and CHANGED flags. */
  #frameOf = new Int32Array(16);
  #pageOf = new Int32Array(16);
  #marks = new Uint8Array(16);
  #hand = 0;

  constructor({ pageSlots = PAGE_SLOTS, inMemory }: SlotPagesOptions = {}) {
    this.pageSlots = pageSlots;
    this.#shift = Math.log2(pageSlots);
    const most = (inMemory?.bytes ?? Number.POSITIVE_INFINITY) / (SLOT_BYTES * pageSlots);
    this.#most = Math.max(LEAST_FRAMES, Math.floor(most));
    this.#makeFile = inMemory?.file;
    this.#neighbours = new Int32Array(16 * pageSlots);
    this.#relations = new Uint8Array(16 * pageSlots);
  }

  /** [frames, pageSlots]. Take both arrays again after `add`. */
  get neighbours(): Int32Array {
    return this.#neighbours;
  }

  get relations(): Uint8Array {
    return this.#relations;
  }

  /** Adds contiguous pages with undefined content, and returns the number of the first. */
  add(count: number): number {
    const first = this.#pages;
    if ((first + count) * this.pageSlots > MAX_SLOTS) {
      throw new FatalError(
        'known-positives-size',
        `${(first + count) * this.pageSlots} neighbour slots; at most ${MAX_SLOTS} are possible: lower limits.maxKnownEdges`,
      );
    }
    for (let page = first; page < first + count; page++) {
      const frame = this.#frames < this.#most ? this.#newFrame() : this.#freed();
      if (page >= this.#frameOf.length) this.#frameOf = longer(this.#frameOf, new Int32Array(2 * page));
      this.#put(page, frame, USED | CHANGED);
      this.#pages++;
    }
    return first;
  }

  /** Brings the slot's page into memory, and returns the index of the slot. */
  at(slot: number): number {
    return this.#touch(slot, USED);
  }

  /** As `at`, where slots of the page are going to be changed. */
  changing(slot: number): number {
    return this.#touch(slot, USED | CHANGED);
  }

  #touch(slot: number, mark: number): number {
    const page = slot >>> this.#shift;
    let frame = this.#frameOf[page]!;
    if (frame === OUT) frame = this.#bring(page);
    this.#marks[frame]! |= mark;
    return (frame << this.#shift) | (slot & (this.pageSlots - 1));
  }

  #bring(page: number): number {
    const frame = this.#freed();
    this.#file?.read(page, ...this.#views(frame));
    this.#put(page, frame, USED);
    return frame;
  }

  #put(page: number, frame: number, marks: number): void {
    this.#frameOf[page] = frame;
    this.#pageOf[frame] = page;
    this.#marks[frame] = marks;
  }

  /** Moves a page out of memory, and returns its frame. */
  #freed(): number {
    for (;;) {
      const frame = this.#hand;
      this.#hand = (this.#hand + 1) % this.#frames;
      const marks = this.#marks[frame]!;
      this.#marks[frame] = marks & ~USED;
      if ((marks & USED) !== 0) continue;
      const page = this.#pageOf[frame]!;
      if ((marks & CHANGED) !== 0) {
        this.#file ??= this.#makeFile?.();
        this.#file?.write(page, ...this.#views(frame));
      }
      this.#frameOf[page] = OUT;
      return frame;
    }
  }

  #views(frame: number): [Int32Array, Uint8Array] {
    const [from, to] = [frame * this.pageSlots, (frame + 1) * this.pageSlots];
    return [this.#neighbours.subarray(from, to), this.#relations.subarray(from, to)];
  }

  #newFrame(): number {
    const frame = this.#frames++;
    if (frame >= this.#pageOf.length) {
      const frames = Math.min(this.#most, Math.ceil(1.5 * frame));
      this.#pageOf = longer(this.#pageOf, new Int32Array(frames));
      this.#marks = longer(this.#marks, new Uint8Array(frames));
      this.#neighbours = longer(this.#neighbours, new Int32Array(frames * this.pageSlots));
      this.#relations = longer(this.#relations, new Uint8Array(frames * this.pageSlots));
    }
    return frame;
  }
}

function longer<A extends Int32Array | Uint8Array>(array: A, into: A): A {
  into.set(array);
  return into;
}
