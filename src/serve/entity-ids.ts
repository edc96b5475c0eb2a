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
