import type { Embedding } from '../../topics/embeddings.ts';
import { type RelationVector, relationKey } from '../../topics/model.ts';
import { ShapeError } from '../errors/errors.ts';
import { type EntityKey, isOfType, typeOf } from '../graph/entity.ts';
import { AwaitedEntities } from './awaited-entities.ts';
import { VectorTable } from './vector-table.ts';

/** The ids of entities of this type are texts, which are normalised. */
export const QUERY = 'query';
/** Most spaces: each of their tables takes gigabytes of addresses. Relation vectors may be read before those of entities: as many are kept. */
const MOST_SPACES = 4;
/** Once all vectors are read, only an entity that was just named for the first time waits for one: a few minutes at most. */
const MOST_AWAITED = 100_000;

/** Whether a vector is from before its entity's erasure. at: time of the newest event that it has learned, epoch ms. */
export type Hides = (entity: EntityKey, at: number) => boolean;

type NewTable = (type: string, dim: number) => VectorTable;

/** A record is of a space for which there is no room. */
export class RefusedSpace extends ShapeError {}

/** The vector of an erased entity. */
interface Withheld {
  readonly vector: Float32Array;
  readonly at: number;
}

/** A run of training of one model: only its vectors may be compared with one another. */
export class Space {
  readonly space: string;
  readonly fingerprint: string;
  readonly dim: number;
  /** By the relation's key in the model topic. */
  readonly relations: ReadonlyMap<string, RelationVector>;
  /** Highest step and newest event time of its vectors, and the highest epoch of their writers. */
  step = 0;
  at = 0;
  epoch = 0;
  readonly #tables = new Map<string, VectorTable>();
  readonly #newTable: NewTable;
  /** Vectors of erased entities whose tombstones were not read yet, by type. No table has them. */
  readonly #withheld = new Map<string, Map<EntityKey, Withheld>>();
  /** The table that was written last. */
  #set: { readonly type: string; readonly table: VectorTable } | undefined;

  constructor(
    { space, fingerprint, dim }: Pick<Embedding, 'space' | 'fingerprint' | 'dim'>,
    relations: ReadonlyMap<string, RelationVector>,
    newTable: NewTable,
  ) {
    this.space = space;
    this.fingerprint = fingerprint;
    this.dim = dim;
    this.relations = relations;
    this.#newTable = newTable;
  }

  /** Entities whose newest record is of this space. */
  get left(): number {
    let size = 0;
    for (const table of this.#tables.values()) size += table.size - table.superseded;
    for (const withheld of this.#withheld.values()) size += withheld.size;
    return size;
  }

  get types(): readonly string[] {
    return [...this.#tables.keys()];
  }

  table(type: string): VectorTable | undefined {
    return this.#tables.get(type);
  }

  vectorOf(entity: EntityKey): Float32Array | undefined {
    return this.table(typeOf(entity))?.vectorOf(entity);
  }

  /** activeAt: tells when the entity was active, if it is new. */
  set(
    entity: EntityKey,
    vector: Float32Array,
    { step, at }: Pick<Embedding, 'step' | 'at'>,
    activeAt: (entity: EntityKey) => number,
  ): void {
    const { type, table } = this.#setting(entity);
    table.set(entity, vector, activeAt, at);
    if (this.#withheld.size > 0) this.#withheld.get(type)?.delete(entity);
    this.step = Math.max(this.step, step);
    this.at = Math.max(this.at, at);
  }

  /** Keeps a vector of an erased entity out of the tables, and takes out the one before. @throws ShapeError as `set`. */
  withhold(entity: EntityKey, vector: Float32Array, at: number): void {
    if (vector.length !== this.dim)
      throw new ShapeError(`the vector has ${vector.length} numbers; those of its space have ${this.dim}`);
    // The vector may be the row that is given up.
    const copy = Float32Array.from(vector);
    this.delete(entity);
    const type = typeOf(entity);
    const withheld = this.#withheld.get(type) ?? new Map<EntityKey, Withheld>();
    this.#withheld.set(type, withheld);
    withheld.set(entity, { vector: copy, at });
  }

  /** Withholds the entity's vector, or puts it into its table again, as `hides` judges now. */
  judge(entity: EntityKey, hides: Hides, activeAt: (entity: EntityKey) => number): void {
    const type = typeOf(entity);
    const withheld = this.#withheld.get(type)?.get(entity);
    if (withheld !== undefined) {
      if (!hides(entity, withheld.at))
        this.set(entity, withheld.vector, { step: 0, at: withheld.at }, activeAt);
      return;
    }
    const at = this.table(type)?.vectorAt(entity);
    if (at === undefined || !hides(entity, at)) return;
    if (this.table(type)?.isSuperseded(entity)) this.delete(entity);
    else this.withhold(entity, this.vectorOf(entity)!, at);
  }

  /** Entities of a type that are withheld. besides: those that are not counted. */
  erased(type: string, besides: Iterable<EntityKey> = []): number {
    const withheld = this.#withheld.get(type);
    if (withheld === undefined || withheld.size === 0) return 0;
    let count = withheld.size;
    for (const entity of new Set(besides)) if (withheld.has(entity)) count--;
    return count;
  }

  /** The table that the entity belongs into, which begins with its first entity. Mostly it is the one of the entity before. */
  #setting(entity: EntityKey): { readonly type: string; readonly table: VectorTable } {
    if (this.#set !== undefined && isOfType(entity, this.#set.type)) return this.#set;
    const type = typeOf(entity);
    const table = this.#tables.get(type) ?? this.#newTable(type, this.dim);
    this.#tables.set(type, table);
    this.#set = { type, table };
    return this.#set;
  }

  delete(entity: EntityKey): void {
    const type = typeOf(entity);
    this.table(type)?.delete(entity);
    this.#withheld.get(type)?.delete(entity);
  }

  /** A newer record of the entity is of another space. */
  supersede(entity: EntityKey): void {
    if (this.#withheld.size > 0) this.#withheld.get(typeOf(entity))?.delete(entity);
    this.table(typeOf(entity))?.supersede(entity);
  }
}

/**
 * The spaces whose vectors a graph's topics hold. Usually that is one. After a take-over by another store, the topics
 * hold a second one, which fills up beside the first; it is served once each entity's newest record is of it. While the
 * topics are read for the first time, the space that most entities are of is served: the first record may be a stray one.
 * Vectors of two spaces are never in one table. A vector from before its entity's erasure is in none, from when the erasure is known.
 */
export class Spaces {
  readonly #newTable: NewTable;
  readonly #caughtUp: () => boolean;
  readonly #hides: Hides;
  readonly #awaited: AwaitedEntities;
  readonly #spaces = new Map<string, Space>();
  readonly #relations = new Map<string, Map<string, RelationVector>>();
  #current: Space | undefined;
  /** The space of the vector before. */
  #last: Space | undefined;
  readonly #activeAtOf = (entity: EntityKey) => this.#takeActiveAt(entity);

  /**
   * maxRows: most entities of one type; caughtUp: whether all that the topics held at first is read; scanners: how many scan
   * a table at the same time; hides: whether a vector is from before its entity's erasure, as far as is known. Once it may judge
   * otherwise of an entity, `judge` has to be told.
   */
  constructor(
    maxRows: number,
    caughtUp: () => boolean = () => true,
    scanners = 1,
    hides: Hides = () => false,
  ) {
    this.#hides = hides;
    this.#newTable = (type, dim) => new VectorTable(type, dim, maxRows, scanners);
    this.#caughtUp = caughtUp;
    // While vectors are read for the first time, events that name any of them may be read before.
    this.#awaited = new AwaitedEntities(() => (caughtUp() ? Math.min(MOST_AWAITED, maxRows) : maxRows));
  }

  /** The space that is served; undefined before the first vector. */
  get current(): Space | undefined {
    return this.#current;
  }

  get all(): readonly Space[] {
    return [...this.#spaces.values()];
  }

  /**
   * Takes a record of the embeddings topic. A tombstone takes the entity out of every space.
   * @throws RefusedSpace; ShapeError for a vector of another length than the others of its space have; FatalError `table-full`.
   */
  embed(entity: EntityKey, embedding: Embedding): void {
    if (embedding.vector === null) {
      this.erase(entity);
      return;
    }
    const own = this.#of(embedding);
    own.epoch = Math.max(own.epoch, embedding.epoch);
    if (this.#hides(entity, embedding.at)) own.withhold(entity, embedding.vector, embedding.at);
    else own.set(entity, embedding.vector, embedding, this.#activeAtOf);
    if (this.#spaces.size > 1)
      for (const space of this.#spaces.values()) if (space !== own) space.supersede(entity);
    this.#choose();
  }

  /** The entity was erased, or came back. */
  judge(entity: EntityKey): void {
    for (const space of this.#spaces.values()) space.judge(entity, this.#hides, this.#activeAtOf);
    this.#choose();
  }

  /** An event of that time names the entity; the event may be read before the first vector. */
  active(entity: EntityKey, at: number): void {
    let found = false;
    for (const space of this.#spaces.values())
      found = space.table(typeOf(entity))?.active(entity, at) === true || found;
    if (!found) this.#awaited.active(entity, at);
  }

  /** When an entity that is new in a space was active. */
  #takeActiveAt(entity: EntityKey): number {
    const before = this.#awaited.take(entity);
    let inOthers: number | undefined;
    // In the only space, the entity is new.
    for (const space of this.#spaces.size > 1 ? this.#spaces.values() : []) {
      const table = space.table(typeOf(entity));
      if (table?.rowOf(entity) !== undefined) inOthers = Math.max(inOthers ?? 0, table.activeAt(entity));
    }
    return inOthers === undefined ? (before ?? this.#awaited.forgottenAt) : Math.max(before ?? 0, inOthers);
  }

  /** Takes an entity out of every space. */
  erase(entity: EntityKey): void {
    for (const space of this.#spaces.values()) space.delete(entity);
    this.#choose();
  }

  /** Takes a record of the model topic. @throws ShapeError for a vector of another length than those of the space's entities. */
  relate(relation: RelationVector): void {
    const dim = this.#spaces.get(idOf(relation))?.dim ?? relation.dim;
    if (dim !== relation.dim) {
      const key = relationKey(relation);
      throw new ShapeError(`${key} has ${relation.dim} numbers; the vectors of its space have ${dim}`);
    }
    this.#relationsOf(relation).set(relationKey(relation), relation);
  }

  #of(embedding: Embedding): Space {
    const last = this.#last;
    if (last?.space === embedding.space && last.fingerprint === embedding.fingerprint) return last;
    const id = idOf(embedding);
    let space = this.#spaces.get(id);
    if (space === undefined) {
      if (this.#spaces.size === MOST_SPACES) this.#makeRoom(embedding);
      const relations = this.#relationsOf(embedding);
      // Until now, nothing said how long they have to be.
      for (const [key, { dim }] of relations) if (dim !== embedding.dim) relations.delete(key);
      space = new Space(embedding, relations, this.#newTable);
      this.#spaces.set(id, space);
      this.#current ??= space;
    }
    this.#last = space;
    return space;
  }

  #relationsOf(of: Pick<Embedding, 'space' | 'fingerprint'>): Map<string, RelationVector> {
    const id = idOf(of);
    const relations = this.#relations.get(id) ?? new Map<string, RelationVector>();
    // The newest last: the first are forgotten.
    this.#relations.delete(id);
    this.#relations.set(id, relations);
    for (const old of this.#relations.keys()) {
      if (this.#relations.size <= MOST_SPACES) break;
      if (old !== id && !this.#spaces.has(old)) this.#relations.delete(old);
    }
    return relations;
  }

  /**
   * Forgets the space of fewest entities, for one of a newer epoch, or for any while the topics are read for the first time. Neither the
   * space that is served nor the newest is forgotten. @throws RefusedSpace
   */
  #makeRoom({ space, epoch }: Embedding): void {
    const newest = this.all.reduce((a, b) => (b.epoch > a.epoch ? b : a));
    if (this.#caughtUp() && epoch <= newest.epoch)
      throw new RefusedSpace(`the vector is of the space ${space}, and ${MOST_SPACES} others are kept`);
    const others = this.all.filter((each) => each !== this.#current && each !== newest);
    const fewest = others.reduce((a, b) => (b.left < a.left ? b : a));
    this.#spaces.delete(idOf(fewest));
  }

  /** Forgets the spaces that no entity is of, and chooses the one that is served. */
  #choose(): void {
    if (this.#spaces.size === 1) return;
    for (const [id, space] of this.#spaces) {
      if (space.left > 0 || this.#spaces.size === 1) continue;
      this.#spaces.delete(id);
      if (space === this.#last) this.#last = undefined;
      if (space === this.#current) this.#current = [...this.#spaces.values()].at(-1);
    }
    if (this.#caughtUp()) return;
    for (const space of this.#spaces.values())
      if (this.#current === undefined || space.left > this.#current.left) this.#current = space;
  }
}

function idOf({ space, fingerprint }: Pick<Embedding, 'space' | 'fingerprint'>): string {
  return `${space} ${fingerprint}`;
}
