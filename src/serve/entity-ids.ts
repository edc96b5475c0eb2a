import { type EntityKey, entityKey, isOfType, MAX_ID_BYTES, typeOf, writeId } from '../graph/entity.ts';
import { NameIndex } from '../graph/name-index.ts';
import { PagedNumbers } from '../graph/paged-numbers.ts';

/** UTF-8 has at most so many bytes for a character of a string. */
const MOST_BYTES = 3;

/** Small int32 numbers for entities, given again once nobody holds them. A name is the byte of its type and the bytes of its id. */
export class EntityIds {
  readonly #names = new NameIndex();
  readonly #types: string[] = [];
  /** By id: how many hold it. A free id has -1 - the next free one. */
  readonly #held = new PagedNumbers((ids) => new Int32Array(ids));
  /** Ids that were ever given are below. */
  #end = 0;
  /** The first free id; the others follow from it. */
  #free = -1;
  /** Scratch for the name that is looked up. */
  #name = Buffer.alloc(1 + MAX_ID_BYTES);

  get size(): number {
    return this.#names.size;
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
      this.holdAgain(known);
      return known;
    }
    const id = this.#newId();
    this.#names.add(this.#name, 0, end, id);
    this.#held.set(id, 1);
    return id;
  }

  holdAgain(id: number): void {
    this.#held.set(id, this.#held.get(id) + 1);
  }

  release(id: number): void {
    const left = this.#held.get(id) - 1;
    this.#held.set(id, left > 0 ? left : -1 - (this.#free + 1));
    if (left > 0) return;
    this.#names.remove(id);
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
      this.#free = -1 - this.#held.get(next) - 1;
      return next;
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
    this.#name[0] = type;
    return writeId(this.#name, 1, entity, start);
  }
}
