import { PagedNumbers } from './paged-numbers.ts';

/** As many rows at a time have room in the processor's cache: see `bytesOf`. */
export const NEAR_ROWS = 256;
/** Parts of the hash table. Each grows by itself, so that no addition waits for all names to be placed anew. */
const PARTS = 256;
/** Fewest slots of a part, a power of two. */
const LEAST_SLOTS = 8;
const BLOCK_BITS = 16;
const BLOCK_BYTES = 1 << BLOCK_BITS;
/** Row and length, before the bytes of a name. */
const HEAD_BYTES = 6;
/** A slot holds the reference of an entry, or: the slot was never used, or its name was removed. */
const FREE = 0;
const GONE = -1;

/**
 * Rows by entity name (the bytes in a store's keys), and names by row. A hash table with open addressing, at most three
 * quarters full. Hash and entry lie together, since for millions of names memory access takes the time. Names are in blocks,
 * and are never moved all at once.
 *
 *     entry      row u32 | length u16 | the bytes of the name; at most 65,530
 *     reference  1 + (block << 16 | place in the block), int32
 *
 * Rejected: strings in a Map, which took 100 bytes more each, more time to make and hash than a lookup here, and garbage
 * collection; one table that doubles, which held up the event loop while a million names were placed anew.
 */
export class NameIndex {
  /** By the first byte of the hash: [slots, 2], a name's hash and the reference of its entry. */
  readonly #parts: Int32Array[];
  /** [parts] slots that are not free, those of removed names included. */
  readonly #used = new Uint32Array(PARTS);
  /** By row: the reference of the entry; 0: the row has no name. */
  readonly #entries = new PagedNumbers((rows) => new Int32Array(rows));
  readonly #blocks = [Buffer.allocUnsafeSlow(BLOCK_BYTES)];
  /** By block: bytes of entries, and the bytes among them of removed names. */
  readonly #ends = [0];
  readonly #dead = [0];
  /** Blocks without memory, to be filled again. */
  readonly #emptied: number[] = [];
  /** The block that is filled now. */
  #open = 0;
  #size = 0;

  /** names: about how many there will be, so that the table need not grow while they are added. A damaged head may say less than none. */
  constructor(names = 0) {
    const slots = 2 ** Math.ceil(Math.log2(Math.max(LEAST_SLOTS, (4 * names) / (3 * PARTS))));
    this.#parts = Array.from({ length: PARTS }, () => new Int32Array(2 * slots));
  }

  get size(): number {
    return this.#size;
  }

  /** Memory of the index, in bytes. */
  get bytes(): number {
    const arrays = [...this.#parts, ...this.#blocks];
    return arrays.reduce((sum, { byteLength }) => sum + byteLength, this.#entries.bytes);
  }

  /** Adds the name in `key` from `start` to before `end`. Gives -1, or the row that has the name already: then nothing is added. */
  add(key: Uint8Array, start: number, end: number, row: number): number {
    const hash = hashOf(key, start, end);
    const part = hash >>> 24;
    if (8 * (this.#used[part]! + 1) > 3 * this.#parts[part]!.length) this.#rehash(part);
    const slots = this.#parts[part]!;
    const slot = this.#slotOf(slots, hash, key, start, end);
    if (slots[slot + 1] !== FREE) return this.#rowOf(slots[slot + 1]!);
    const entry = this.#append(row, key, start, end);
    this.#entries.set(row, entry);
    this.#size++;
    this.#used[part]! += 1;
    slots[slot] = hash;
    slots[slot + 1] = entry;
    return -1;
  }

  /** The row of the name in `key` from `start` to before `end`, or -1. */
  find(key: Uint8Array, start: number, end: number): number {
    const hash = hashOf(key, start, end);
    const slots = this.#parts[hash >>> 24]!;
    const entry = slots[this.#slotOf(slots, hash, key, start, end) + 1]!;
    return entry === FREE ? -1 : this.#rowOf(entry);
  }

  has(row: number): boolean {
    return this.#entries.get(row) !== FREE;
  }

  /** The name of a row, a view; undefined where the row has none. */
  nameAt(row: number): Buffer | undefined {
    const entry = this.#entries.get(row);
    return entry === FREE ? undefined : this.#nameIn(blockOf(entry), placeOf(entry));
  }

  /** Bytes of the names of rows, those without a name left out. It reads them side by side, so that the cache has them for what is done next with up to NEAR_ROWS rows. */
  bytesOf(rows: Int32Array): number {
    const entries = this.#entries.getMany(rows);
    let bytes = 0;
    for (let i = 0; i < rows.length; i++)
      if (entries[i] !== FREE) bytes += lengthAt(this.#blocks[blockOf(entries[i]!)]!, placeOf(entries[i]!));
    return bytes;
  }

  /** The first byte of the name of a row that has one. */
  firstByte(row: number): number {
    const entry = this.#entries.get(row);
    return this.#blocks[blockOf(entry)]![placeOf(entry) + HEAD_BYTES]!;
  }

  /** Copies the name of a row that has one, all but its first `without` bytes, and gives its end. It makes no object. */
  copy(row: number, into: Uint8Array, at: number, without = 0): number {
    const entry = this.#entries.get(row);
    const block = this.#blocks[blockOf(entry)]!;
    const from = placeOf(entry) + HEAD_BYTES + without;
    const length = lengthAt(block, placeOf(entry)) - without;
    for (let i = 0; i < length; i++) into[at + i] = block[from + i]!;
    return at + length;
  }

  /** Orders two rows that have names by their bytes. */
  compare(one: number, other: number): number {
    const [a, b] = [this.#entries.get(one), this.#entries.get(other)];
    const [as, bs] = [this.#blocks[blockOf(a)]!, this.#blocks[blockOf(b)]!];
    const length = Math.min(lengthAt(as, placeOf(a)), lengthAt(bs, placeOf(b)));
    for (let i = 0, [at, bt] = [placeOf(a) + HEAD_BYTES, placeOf(b) + HEAD_BYTES]; i < length; i++)
      if (as[at + i] !== bs[bt + i]) return as[at + i]! - bs[bt + i]!;
    return lengthAt(as, placeOf(a)) - lengthAt(bs, placeOf(b));
  }

  /** Removes the name of a row, if it has one. */
  remove(row: number): void {
    const entry = this.#entries.get(row);
    if (entry === FREE) return;
    const block = blockOf(entry);
    const name = this.#nameIn(block, placeOf(entry));
    this.#refer(name, GONE);
    this.#entries.set(row, FREE);
    this.#size--;
    this.#dead[block]! += HEAD_BYTES + name.length;
    if (block !== this.#open) this.#empty(block);
  }

  /** The slot of a name, or the one for it, which was never used. */
  #slotOf(slots: Int32Array, hash: number, key: Uint8Array, start: number, end: number): number {
    const last = slots.length - 2;
    for (let slot = (2 * hash) & last; ; slot = (slot + 2) & last) {
      const entry = slots[slot + 1]!;
      if (entry === FREE) return slot;
      if (entry !== GONE && slots[slot] === hash && this.#isOf(entry, key, start, end)) return slot;
    }
  }

  #isOf(entry: number, key: Uint8Array, start: number, end: number): boolean {
    const block = this.#blocks[blockOf(entry)]!;
    const at = placeOf(entry);
    if (lengthAt(block, at) !== end - start) return false;
    const from = at + HEAD_BYTES - start;
    for (let i = start; i < end; i++) if (block[from + i] !== key[i]) return false;
    return true;
  }

  #rowOf(entry: number): number {
    return rowAt(this.#blocks[blockOf(entry)]!, placeOf(entry));
  }

  #nameIn(block: number, at: number): Buffer {
    const bytes = this.#blocks[block]!;
    return bytes.subarray(at + HEAD_BYTES, at + HEAD_BYTES + lengthAt(bytes, at));
  }

  /** Puts another reference in place of a name's. */
  #refer(name: Uint8Array, to: number): void {
    const hash = hashOf(name, 0, name.length);
    const slots = this.#parts[hash >>> 24]!;
    slots[this.#slotOf(slots, hash, name, 0, name.length) + 1] = to;
  }

  /** Doubles the slots of a part, unless most used slots are of removed names. */
  #rehash(part: number): void {
    const before = this.#parts[part]!;
    const isEntry = (slot: number) => before[slot + 1] !== FREE && before[slot + 1] !== GONE;
    let named = 0;
    for (let slot = 0; slot < before.length; slot += 2) if (isEntry(slot)) named++;
    const slots = new Int32Array(8 * named > before.length ? 2 * before.length : before.length);
    const last = slots.length - 2;
    for (let slot = 0; slot < before.length; slot += 2) {
      if (!isEntry(slot)) continue;
      let to = (2 * before[slot]!) & last;
      while (slots[to + 1] !== FREE) to = (to + 2) & last;
      slots[to] = before[slot]!;
      slots[to + 1] = before[slot + 1]!;
    }
    this.#parts[part] = slots;
    this.#used[part] = named;
  }

  /** Writes an entry after all others, and gives its reference. */
  #append(row: number, name: Uint8Array, start: number, end: number): number {
    const bytes = HEAD_BYTES + end - start;
    while (this.#ends[this.#open]! + bytes > BLOCK_BYTES) this.#openNext();
    const block = this.#blocks[this.#open]!;
    const at = this.#ends[this.#open]!;
    block.writeUInt32LE(row, at);
    block.writeUInt16LE(end - start, at + 4);
    for (let i = start; i < end; i++) block[at + HEAD_BYTES + i - start] = name[i]!;
    this.#ends[this.#open] = at + bytes;
    return referenceOf(this.#open, at);
  }

  #openNext(): void {
    const full = this.#open;
    this.#open = this.#emptied.pop() ?? this.#blocks.length;
    this.#blocks[this.#open] = Buffer.allocUnsafeSlow(BLOCK_BYTES);
    this.#ends[this.#open] = 0;
    this.#dead[this.#open] = 0;
    this.#empty(full);
  }

  /** Moves the names out of a block, and frees its memory, where more than half of it is removed names. */
  #empty(block: number): void {
    const end = this.#ends[block]!;
    if (2 * this.#dead[block]! <= end) return;
    const bytes = this.#blocks[block]!;
    for (let at = 0; at < end; at += HEAD_BYTES + lengthAt(bytes, at)) {
      const [row, entry] = [rowAt(bytes, at), referenceOf(block, at)];
      if (this.#entries.get(row) !== entry) continue;
      const name = this.#nameIn(block, at);
      const moved = this.#append(row, name, 0, name.length);
      this.#refer(name, moved);
      this.#entries.set(row, moved);
    }
    this.#blocks[block] = NO_BYTES;
    this.#emptied.push(block);
  }
}

const NO_BYTES = Buffer.alloc(0);

function referenceOf(block: number, at: number): number {
  return (((block << BLOCK_BITS) | at) + 1) | 0;
}

function blockOf(reference: number): number {
  return (reference - 1) >>> BLOCK_BITS;
}

function placeOf(reference: number): number {
  return (reference - 1) & (BLOCK_BYTES - 1);
}

/** By hand: Buffer checks each call, and lookups take a third longer. */
function rowAt(bytes: Uint8Array, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
}

function lengthAt(bytes: Uint8Array, at: number): number {
  return bytes[at + 4]! | (bytes[at + 5]! << 8);
}

/** FNV-1a, then mixed, since slots are chosen by the low bits and parts by the high ones. */
function hashOf(key: Uint8Array, start: number, end: number): number {
  let hash = 0x811c9dc5;
  for (let i = start; i < end; i++) hash = Math.imul(hash ^ key[i]!, 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  return hash ^ (hash >>> 13);
}
