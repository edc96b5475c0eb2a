import { type EntityKey, entityKey, isOfType, MAX_ID_BYTES, typeOf } from '../graph/entity.ts';
import { NameIndex } from '../graph/name-index.ts';

/** UTF-8 has at most so many bytes for a character of a string. */
const MOST_BYTES = 3;
const FIRST_IDS = 512;

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
    const name = this.#nameAt(id);
    return entityKey(this.#types[name[0]!]!, name.toString('utf8', 1));
  }

  /** @throws TypeError for an id that nobody holds. */
  typeOf(id: number): string {
    return this.#types[this.#nameAt(id)[0]!]!;
  }

  #nameAt(id: number): Buffer {
    const name = this.#names.nameAt(id);
    if (name === undefined) throw new TypeError(`nobody holds the entity ${id}`);
    return name;
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
    const from = types[type]!.length + 1;
    const end = entity.length - from;
    if (end * MOST_BYTES >= this.#name.length) this.#name = Buffer.alloc(1 + end * MOST_BYTES);
    const name = this.#name;
    name[0] = type;
    for (let i = 0; i < end; i++) {
      const code = entity.charCodeAt(from + i);
      if (code >= 0x80) return 1 + name.write(entity.slice(from), 1);
      name[i + 1] = code;
    }
    return 1 + end;
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
