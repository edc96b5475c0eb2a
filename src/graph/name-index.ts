/** Slots of a new index, a power of two. */
const FIRST_SLOTS = 1024;
const FIRST_ROWS = 512;
const FIRST_BYTES = 16 * 1024;
/** Bytes of removed names are compacted away above this, once they are more than half of all bytes. */
const KEPT_DEAD = 64 * 1024;
/** A slot holds 1 + row, or: the slot was never used, or its name was removed. */
const FREE = 0;
const GONE = -1;
const NOWHERE = 0xffff_ffff;

/**
 * Rows by entity name (the bytes in a store's keys), and names by row. A hash table with open addressing, at most three
 * quarters full. Hash and row lie together, since for millions of names memory access takes the time. Rejected: strings
 * in a Map, which took 100 bytes more each, more time to make and hash than a lookup here, and garbage collection.
 */
export class NameIndex {
  /** [slots, 2]: the name's hash and 1 + its row. */
  #slots = new Int32Array(2 * FIRST_SLOTS);
  /** By row: where the bytes of the name start, and their number. */
  #starts = new Uint32Array(FIRST_ROWS).fill(NOWHERE);
  #lengths = new Uint16Array(FIRST_ROWS);
  #bytes = Buffer.alloc(FIRST_BYTES);
  #end = 0;
  #size = 0;
  /** Slots that are not free, those of removed names included. */
  #used = 0;
  /** Bytes of removed names. */
  #dead = 0;

  get size(): number {
    return this.#size;
  }

  /** Memory of the index, in bytes. */
  get bytes(): number {
    const arrays = [this.#slots, this.#starts, this.#lengths, this.#bytes];
    return arrays.reduce((sum, { byteLength }) => sum + byteLength, 0);
  }

  /** Adds a new name: the bytes of `key` from `start` to before `end`. */
  add(key: Uint8Array, start: number, end: number, row: number): void {
    if (8 * (this.#used + 1) > 3 * this.#slots.length) this.#rehash();
    if (row >= this.#starts.length) this.#growRows(row + 1);
    const length = end - start;
    if (this.#end + length > this.#bytes.length) this.#makeRoom(length);
    for (let i = 0; i < length; i++) this.#bytes[this.#end + i] = key[start + i]!;
    this.#starts[row] = this.#end;
    this.#lengths[row] = length;
    this.#end += length;
    this.#size++;
    this.#used++;
    place(this.#slots, hashOf(key, start, end), row);
  }

  /** The row of the name in `key` from `start` to before `end`, or -1. */
  find(key: Uint8Array, start: number, end: number): number {
    const slots = this.#slots;
    const hash = hashOf(key, start, end);
    const last = slots.length - 2;
    for (let slot = (2 * hash) & last; ; slot = (slot + 2) & last) {
      const held = slots[slot + 1]!;
      if (held === FREE) return -1;
      if (held !== GONE && slots[slot] === hash && this.#is(held - 1, key, start, end)) return held - 1;
    }
  }

  has(row: number): boolean {
    return row < this.#starts.length && this.#starts[row] !== NOWHERE;
  }

  /** The name of a row, a view that is valid until the next `add`; undefined where the row has none. */
  nameAt(row: number): Buffer | undefined {
    if (!this.has(row)) return undefined;
    const start = this.#starts[row]!;
    return this.#bytes.subarray(start, start + this.#lengths[row]!);
  }

  /** Removes the name of a row, if it has one. */
  remove(row: number): void {
    const name = this.nameAt(row);
    if (name === undefined) return;
    const slots = this.#slots;
    const last = slots.length - 2;
    let slot = (2 * hashOf(name, 0, name.length)) & last;
    while (slots[slot + 1] !== row + 1) slot = (slot + 2) & last;
    slots[slot + 1] = GONE;
    this.#starts[row] = NOWHERE;
    this.#size--;
    this.#dead += name.length;
  }

  #is(row: number, key: Uint8Array, start: number, end: number): boolean {
    if (this.#lengths[row] !== end - start) return false;
    const bytes = this.#bytes;
    const at = this.#starts[row]! - start;
    for (let i = start; i < end; i++) if (bytes[at + i] !== key[i]) return false;
    return true;
  }

  /** Doubles the slots, unless most used slots are of removed names. */
  #rehash(): void {
    const before = this.#slots;
    const slots = 8 * this.#size > before.length ? 2 * before.length : before.length;
    this.#slots = new Int32Array(slots);
    this.#used = this.#size;
    for (let slot = 0; slot < before.length; slot += 2) {
      const held = before[slot + 1]!;
      if (held !== FREE && held !== GONE) place(this.#slots, before[slot]!, held - 1);
    }
  }

  #growRows(rows: number): void {
    const before = this.#starts.length;
    const length = Math.max(rows, 2 * before);
    this.#starts = new Uint32Array(this.#starts.buffer.transfer(4 * length)).fill(NOWHERE, before);
    this.#lengths = new Uint16Array(this.#lengths.buffer.transfer(2 * length));
  }

  /** Makes room for a name of `length` bytes. Removed names are left out where they take more bytes than the others. */
  #makeRoom(length: number): void {
    const live = this.#end - this.#dead;
    const compact = this.#dead > KEPT_DEAD && this.#dead > live;
    const kept = compact ? live : this.#end;
    const bytes = Buffer.alloc(Math.max(FIRST_BYTES, 2 * (kept + length)));
    if (compact) this.#compactInto(bytes);
    else bytes.set(this.#bytes);
    this.#bytes = bytes;
  }

  #compactInto(bytes: Buffer): void {
    let end = 0;
    for (let row = 0; row < this.#starts.length; row++) {
      const name = this.nameAt(row);
      if (name === undefined) continue;
      bytes.set(name, end);
      this.#starts[row] = end;
      end += name.length;
    }
    this.#end = end;
    this.#dead = 0;
  }
}

function place(slots: Int32Array, hash: number, row: number): void {
  const last = slots.length - 2;
  let slot = (2 * hash) & last;
  while (slots[slot + 1] !== FREE && slots[slot + 1] !== GONE) slot = (slot + 2) & last;
  slots[slot] = hash;
  slots[slot + 1] = row + 1;
}

/** FNV-1a, then mixed, since slots are chosen by the low bits. */
function hashOf(key: Uint8Array, start: number, end: number): number {
  let hash = 0x811c9dc5;
  for (let i = start; i < end; i++) hash = Math.imul(hash ^ key[i]!, 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  return hash ^ (hash >>> 13);
}
