import { type EntityKey, entityKey, isOfType, MAX_ID_BYTES, typeOf } from '../graph/entity.ts';
import { NameIndex } from '../graph/name-index.ts';

/** UTF-8 has at most so many bytes for a character of a string. */
const MOST_BYTES = 3;
const FIRST_IDS = 512;
const PAGE_SHIFT = 12;
const PAGE_ROWS = 1 << PAGE_SHIFT;

/** Scratch for the bytes of an id that is looked up. */
export class IdBytes {
  bytes = Buffer.alloc(1 + MAX_ID_BYTES);

  /** Writes the id, which begins in the entity's name at `from`, to the place `at`, and gives its end. */
  write(entity: EntityKey, from: number, at: number): number {
    const length = entity.length - from;
    if (at + length * MOST_BYTES > this.bytes.length) this.bytes = Buffer.alloc(at + length * MOST_BYTES);
    const { bytes } = this;
    for (let i = 0; i < length; i++) {
      const code = entity.charCodeAt(from + i);
      if (code >= 0x80) return at + bytes.write(entity.slice(from), at);
      bytes[at + i] = code;
    }
    return at + length;
  }
}

/** A number for each row, 0 at first. In pages outside V8's heap, so that twenty million rows move nothing when they grow. */
export class PagedNumbers {
  readonly #pages: (Float64Array | Uint8Array)[] = [];
  readonly #newPage: (rows: number) => Float64Array | Uint8Array;

  constructor(newPage: (rows: number) => Float64Array | Uint8Array) {
    this.#newPage = newPage;
  }

  get bytes(): number {
    return this.#pages.reduce((sum, { byteLength }) => sum + byteLength, 0);
  }

  get(row: number): number {
    return this.#pages[row >> PAGE_SHIFT]?.[row & (PAGE_ROWS - 1)] ?? 0;
  }

  set(row: number, value: number): void {
    const page = row >> PAGE_SHIFT;
    while (this.#pages.length <= page) this.#pages.push(this.#newPage(PAGE_ROWS));
    this.#pages[page]![row & (PAGE_ROWS - 1)] = value;
  }
}

/**
 * Numbers for the entities that something remembers: small, int32, and given again once nobody holds them. A name is the byte of
 * its type and the bytes of its id.
 */
export class EntityIds {
  readonly #names = new NameIndex();
  readonly #types: string[] = [];
  /** By id: how many hold it. A free id has -1 - the next free one. */
  #held = new Int32Array(FIRST_IDS);
  /** Ids that were ever given are below. */
  #end = 0;
  /** The first free id; the others follow from it. */
  #free = -1;
  /** Scratch for the name that is looked up. */
  readonly #name = new IdBytes();

  /** Entities that are held. */
  get size(): number {
    return this.#names.size;
  }

  /** Memory of names and ids, in bytes. */
  get bytes(): number {
    return this.#names.bytes + this.#held.byteLength;
  }

  /** The entity's id, held once more than before: who calls this releases it once. */
  hold(entity: EntityKey): number {
    const end = this.#write(entity, true);
    const known = this.#names.find(this.#name.bytes, 0, end);
    if (known >= 0) {
      this.#held[known]!++;
      return known;
    }
    const id = this.#newId();
    this.#names.add(this.#name.bytes, 0, end, id);
    this.#held[id] = 1;
    return id;
  }

  holdAgain(id: number): void {
    this.#held[id]!++;
  }

  release(id: number): void {
    if (--this.#held[id]! > 0) return;
    this.#names.remove(id);
    this.#held[id] = -1 - (this.#free + 1);
    this.#free = id;
  }

  /** The id of an entity, or -1 where nobody holds it. */
  find(entity: EntityKey): number {
    const end = this.#write(entity, false);
    return end < 0 ? -1 : this.#names.find(this.#name.bytes, 0, end);
  }

  /** @throws TypeError for an id that nobody holds. */
  nameOf(id: number): EntityKey {
    const name = this.#names.nameAt(id);
    if (name === undefined) throw new TypeError(`nobody holds the entity ${id}`);
    return entityKey(this.#types[name[0]!]!, name.toString('utf8', 1));
  }

  #newId(): number {
    const free = this.#free;
    if (free >= 0) {
      this.#free = -1 - this.#held[free]! - 1;
      return free;
    }
    if (this.#end === this.#held.length) {
      const held = new Int32Array(2 * this.#end);
      held.set(this.#held);
      this.#held = held;
    }
    return this.#end++;
  }

  /** Writes the entity's name into the scratch, and gives its end; -1 for an unknown type unless it is to be added. */
  #write(entity: EntityKey, add: boolean): number {
    const types = this.#types;
    let type = 0;
    while (type < types.length && !isOfType(entity, types[type]!)) type++;
    if (type === types.length) {
      if (!add) return -1;
      types.push(typeOf(entity));
    }
    const end = this.#name.write(entity, types[type]!.length + 1, 1);
    this.#name.bytes[0] = type;
    return end;
  }
}

const FIRST_SLOTS = 16;

/**
 * A hash table from ids to numbers, both int32 and at least 0. Open addressing, at most three quarters full, outside V8's heap.
 * Rejected: Map, which takes 40 bytes an entry and no more than 16.7 million entries.
 */
export class IdMap {
  /** [slots, 2]: 1 + the id, or 0 for a free slot, and the id's number. */
  #slots = new Int32Array(2 * FIRST_SLOTS);
  #size = 0;

  get bytes(): number {
    return this.#slots.byteLength;
  }

  /** The id's number, or -1. */
  get(id: number): number {
    const slots = this.#slots;
    const last = slots.length - 2;
    for (let slot = placeOf(id) & last; ; slot = (slot + 2) & last) {
      const held = slots[slot]!;
      if (held === id + 1) return slots[slot + 1]!;
      if (held === 0) return -1;
    }
  }

  set(id: number, value: number): void {
    const slots = this.#slots;
    const last = slots.length - 2;
    let slot = placeOf(id) & last;
    while (slots[slot] !== 0 && slots[slot] !== id + 1) slot = (slot + 2) & last;
    slots[slot + 1] = value;
    if (slots[slot] !== 0) return;
    slots[slot] = id + 1;
    if (8 * ++this.#size > 3 * slots.length) this.#grow();
  }

  /** Removes an id, if it is there. The entries behind it move up, so that nothing marks a removed entry. */
  delete(id: number): void {
    const slots = this.#slots;
    const last = slots.length - 2;
    let gap = placeOf(id) & last;
    while (slots[gap] !== id + 1) {
      if (slots[gap] === 0) return;
      gap = (gap + 2) & last;
    }
    for (let slot = (gap + 2) & last; slots[slot] !== 0; slot = (slot + 2) & last) {
      const wished = placeOf(slots[slot]! - 1) & last;
      // An entry stays where the gap lies before the slot that it hashes to.
      if (((slot - wished) & last) < ((slot - gap) & last)) continue;
      slots[gap] = slots[slot]!;
      slots[gap + 1] = slots[slot + 1]!;
      gap = slot;
    }
    slots[gap] = 0;
    this.#size--;
  }

  #grow(): void {
    const before = this.#slots;
    const slots = new Int32Array(2 * before.length);
    const last = slots.length - 2;
    for (let from = 0; from < before.length; from += 2) {
      if (before[from] === 0) continue;
      let slot = placeOf(before[from]! - 1) & last;
      while (slots[slot] !== 0) slot = (slot + 2) & last;
      slots[slot] = before[from]!;
      slots[slot + 1] = before[from + 1]!;
    }
    this.#slots = slots;
  }
}

/** The slot that an id hashes to, before it is masked. */
function placeOf(id: number): number {
  const hash = Math.imul(id, 0x9e3779b1);
  return (hash ^ (hash >>> 15)) << 1;
}

const [FEWEST_BITS, MOST_BITS] = [10, 26];
/** Bits that are set for an entity. */
const HASHES = 4;

/**
 * A Bloom filter of the entities that were forgotten altogether. Each of them is found. In the largest filter with seven million
 * entities, one other in a hundred is found as well. Rejected: a set of their names, which nothing would bound.
 */
export class Forgotten {
  readonly #bits: number;
  /** Made when the first entity is added. */
  #set = new Uint32Array(0);

  /** edges: how many are remembered at most; the filter has about a bit for each. */
  constructor(edges: number) {
    this.#bits = Math.min(MOST_BITS, Math.max(FEWEST_BITS, Math.ceil(Math.log2(edges))));
  }

  get bytes(): number {
    return this.#set.byteLength;
  }

  add(entity: EntityKey): void {
    if (this.#set.length === 0) this.#set = new Uint32Array(2 ** (this.#bits - 5));
    for (const bit of this.#bitsOf(entity)) this.#set[bit >>> 5]! |= 1 << (bit & 31);
  }

  has(entity: EntityKey): boolean {
    if (this.#set.length === 0) return false;
    return this.#bitsOf(entity).every((bit) => (this.#set[bit >>> 5]! & (1 << (bit & 31))) !== 0);
  }

  #bitsOf(entity: EntityKey): number[] {
    let hash = 0x811c9dc5;
    for (let i = 0; i < entity.length; i++) hash = Math.imul(hash ^ entity.charCodeAt(i), 0x01000193);
    let step = Math.imul(hash ^ (hash >>> 15), 0x85ebca6b);
    step = Math.imul(step ^ (step >>> 13), 0xc2b2ae35) | 1;
    return Array.from(
      { length: HASHES },
      (_, i) => Math.imul(hash + i * step, 0x9e3779b1) >>> (32 - this.#bits),
    );
  }
}

/**
 * When entities were active that events name and that have no vector yet. Some never get one: all are forgotten in time, half of
 * them at once, the older half. Names and times are in flat arrays outside V8's heap.
 */
export class AwaitedEntities {
  readonly #most: () => number;
  #young = new Times();
  #old = new Times();
  /**
   * Newest activity of an entity that was forgotten, epoch ms; 0 while none was. An entity that is not found here may have been
   * active then: it is rather taken for active than for idle.
   */
  forgottenAt = 0;

  constructor(most: () => number) {
    this.#most = most;
  }

  active(entity: EntityKey, at: number): void {
    const known = this.take(entity) ?? 0;
    if (this.#young.size >= Math.ceil(this.#most() / 2)) {
      this.forgottenAt = Math.max(this.forgottenAt, this.#old.newest);
      this.#old = this.#young;
      this.#young = new Times();
    }
    this.#young.add(entity, Math.max(known, at));
  }

  /** When the entity was active; undefined where that is not known. It is awaited no more. */
  take(entity: EntityKey): number | undefined {
    return this.#young.take(entity) ?? this.#old.take(entity);
  }
}

/** Times by entity. */
class Times {
  readonly #ids = new EntityIds();
  /** By id. */
  readonly #at = new PagedNumbers((rows) => new Float64Array(rows));
  /** Newest of all that are held; 0 without any. */
  newest = 0;

  get size(): number {
    return this.#ids.size;
  }

  /** Adds an entity that it does not have. */
  add(entity: EntityKey, at: number): void {
    const id = this.#ids.hold(entity);
    this.#at.set(id, at);
    this.newest = Math.max(this.newest, at);
  }

  take(entity: EntityKey): number | undefined {
    const id = this.#ids.find(entity);
    if (id < 0) return undefined;
    this.#ids.release(id);
    // Nobody is left whose time could be forgotten.
    if (this.#ids.size === 0) this.newest = 0;
    return this.#at.get(id);
  }
}
