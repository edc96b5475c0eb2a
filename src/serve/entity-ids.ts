import { type EntityKey, entityKey, isOfType, MAX_ID_BYTES, typeOf } from '../graph/entity.ts';
import { NameIndex } from '../graph/name-index.ts';

/** UTF-8 has at most so many bytes for a character of a string. */
const MOST_BYTES = 3;
const FIRST_IDS = 512;
const PAGE_SHIFT = 12;
const PAGE_ROWS = 1 << PAGE_SHIFT;

type Numbers = Float64Array | Int32Array | Uint8Array;

/**
 * A number for each row or id, 0 at first. In pages outside V8's heap, so that twenty million rows move nothing when they grow.
 * A page begins with its first number. Rejected: Map, which takes 40 bytes an entry and no more than 16.7 million entries.
 */
export class PagedNumbers {
  readonly #pages: Numbers[] = [];
  readonly #newPage: (rows: number) => Numbers;

  constructor(newPage: (rows: number) => Numbers) {
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
    this.#pages[page] ??= this.#newPage(PAGE_ROWS);
    this.#pages[page][row & (PAGE_ROWS - 1)] = value;
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
  #name = Buffer.alloc(1 + MAX_ID_BYTES);

  /** Entities that are held. */
  get size(): number {
    return this.#names.size;
  }

  /** Memory of names and ids, in bytes. */
  get bytes(): number {
    return this.#names.bytes + this.#held.byteLength;
  }

  /** The id of the next entity that nobody holds yet. */
  get next(): number {
    return this.#free >= 0 ? this.#free : this.#end;
  }

  /** The entity's id, held once more than before: who calls this releases it once. */
  hold(entity: EntityKey): number {
    const end = this.#write(entity, true);
    const known = this.#names.find(this.#name, 0, end);
    if (known >= 0) {
      this.#held[known]!++;
      return known;
    }
    const id = this.#newId();
    this.#names.add(this.#name, 0, end, id);
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
    return end < 0 ? -1 : this.#names.find(this.#name, 0, end);
  }

  /** @throws TypeError for an id that nobody holds. */
  nameOf(id: number): EntityKey {
    const name = this.#names.nameAt(id);
    if (name === undefined) throw new TypeError(`nobody holds the entity ${id}`);
    return entityKey(this.#types[name[0]!]!, name.toString('utf8', 1));
  }

  #newId(): number {
    const { next } = this;
    if (next === this.#free) {
      this.#free = -1 - this.#held[next]! - 1;
      return next;
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
    const start = types[type]!.length + 1;
    const length = entity.length - start;
    if (1 + length * MOST_BYTES > this.#name.length) this.#name = Buffer.alloc(1 + length * MOST_BYTES);
    const name = this.#name;
    name[0] = type;
    for (let i = 0; i < length; i++) {
      const code = entity.charCodeAt(start + i);
      if (code >= 0x80) return 1 + name.write(entity.slice(start), 1);
      name[1 + i] = code;
    }
    return 1 + length;
  }
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
