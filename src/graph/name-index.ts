/** Slots of a small one, a power of two. */
const FIRST_SLOTS = 1024;
const BYTES_A_NAME = 24;

/**
 * Rows by entities' names as they lie in keys, for a time in which millions are looked up: as texts in a Map, making and
 * hashing each took longer than reading it. Open addressing, at most half full. What is looked at together lies
 * together: for millions, memory is what takes the time.
 */
export class NameIndex {
  /** [slots, 2]: the name's hash and 1 + its number; 0 where free. */
  #slots = new Int32Array(2 * FIRST_SLOTS);
  /** [names + 1, 2]: where the name's bytes start, and its row. They end where the next one's start. */
  #names = new Int32Array(FIRST_SLOTS + 2);
  #bytes = new Uint8Array((BYTES_A_NAME * FIRST_SLOTS) / 2);
  #size = 0;

  /** Takes in the name that lies in `key` from `start` to before `end`, one that is not there yet. */
  add(key: Uint8Array, start: number, end: number, row: number): void {
    if (4 * (this.#size + 1) > this.#slots.length) this.#grow();
    const at = this.#names[2 * this.#size]!;
    const after = at + end - start;
    if (after > this.#bytes.length) this.#bytes = grown(this.#bytes, 2 * after, Uint8Array);
    for (let i = start; i < end; i++) this.#bytes[at + i - start] = key[i]!;
    this.#names[2 * this.#size + 1] = row;
    this.#names[2 * this.#size + 2] = after;
    this.#size++;
    place(this.#slots, hashOf(key, start, end), this.#size);
  }

  /** The row of the name in `key` from `start` to before `end`; -1 where there is none. */
  find(key: Uint8Array, start: number, end: number): number {
    const slots = this.#slots;
    const hash = hashOf(key, start, end);
    const last = slots.length - 2;
    for (let slot = (2 * hash) & last; ; slot = (slot + 2) & last) {
      const number = slots[slot + 1]! - 1;
      if (number < 0) return -1;
      if (slots[slot] === hash && this.#is(number, key, start, end)) return this.#names[2 * number + 1]!;
    }
  }

  #is(number: number, key: Uint8Array, start: number, end: number): boolean {
    const names = this.#names;
    const bytes = this.#bytes;
    const at = names[2 * number]!;
    if (names[2 * number + 2]! - at !== end - start) return false;
    for (let i = start; i < end; i++) if (bytes[at + i - start] !== key[i]) return false;
    return true;
  }

  #grow(): void {
    const before = this.#slots;
    this.#slots = new Int32Array(2 * before.length);
    this.#names = grown(this.#names, before.length + 2, Int32Array);
    for (let slot = 0; slot < before.length; slot += 2) {
      if (before[slot + 1] !== 0) place(this.#slots, before[slot]!, before[slot + 1]!);
    }
  }
}

function place(slots: Int32Array, hash: number, number: number): void {
  const last = slots.length - 2;
  let slot = (2 * hash) & last;
  while (slots[slot + 1] !== 0) slot = (slot + 2) & last;
  slots[slot] = hash;
  slots[slot + 1] = number;
}

/** FNV-1a, its bits mixed: slots are chosen by the low ones. */
function hashOf(key: Uint8Array, start: number, end: number): number {
  let hash = 0x811c9dc5;
  for (let i = start; i < end; i++) hash = Math.imul(hash ^ key[i]!, 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  return hash ^ (hash >>> 13);
}

function grown<T extends Uint8Array | Int32Array>(
  array: T,
  length: number,
  make: new (length: number) => T,
): T {
  const longer = new make(length);
  longer.set(array);
  return longer;
}
