import { FatalError } from '../../errors/errors.ts';
import type { EdgeName } from '../edge.ts';
import type { EntityKey } from '../entity.ts';
import type { Layout } from '../layout.ts';
import { NameIndex } from '../name-index.ts';
import { shardOf, trainingShard } from '../shard.ts';

const BITS = 32;

/** An entity that live edges name and no store has: its owner has not read them yet. */
export interface UnreadEntity {
  readonly name: EntityKey;
  /** Epoch ms. */
  firstSeen: number;
  lastSeen: number;
}

/**
 * To which of `count` new shards each entity belongs, and which of them hold a copy of it. Entities are numbered in the order in which
 * they are added. Memory: an entity's name, 40 bytes, and a bit for each shard.
 */
export class EntitySpread {
  /** The entities that no store has, by number; few, for each is one that its owner was about to read. */
  readonly unread = new Map<number, UnreadEntity>();
  readonly #layout: Layout;
  readonly #count: number;
  readonly #names = new NameIndex();
  readonly #owners: number[] = [];
  /** Ends of live edges. */
  readonly #live: boolean[] = [];
  /** [entities, words] */
  readonly #holders: number[] = [];
  readonly #words: number;

  constructor(layout: Layout, count: number) {
    this.#layout = layout;
    this.#count = count;
    this.#words = Math.ceil(count / BITS);
  }

  /** key: of kind `n`. */
  add(key: Uint8Array, name: EntityKey): void {
    this.#add(key, 1, key.length, name);
  }

  ownerOf(entity: number): number {
    return this.#owners[entity]!;
  }

  /** Whether the entity is an end of a live edge. */
  isNamed(entity: number): boolean {
    return this.#live[entity]!;
  }

  /** The shards that hold a copy, ascending. */
  holdersOf(entity: number): number[] {
    const holders: number[] = [];
    for (let shard = 0; shard < this.#count; shard++) {
      const word = this.#holders[entity * this.#words + Math.floor(shard / BITS)]!;
      if ((word & (1 << (shard % BITS))) !== 0) holders.push(shard);
    }
    return holders;
  }

  /**
   * The shards that own the ends of an edge, and notes for a live edge that the one that trains it holds a copy of its far end.
   * key: of kind `e`. at: the edge's time. ownerHas: whether the present owner of an end has the edge.
   * @throws FatalError where an owner has a live edge and not its own end.
   */
  place(
    key: Uint8Array,
    live: boolean,
    at: number,
    ownerHas: (end: EntityKey) => boolean,
  ): [lhs: number, rhs: number] {
    const split = this.#layout.firstEnd(key);
    const lhs = this.#endAt(key, 1, split, 'lhs');
    const rhs = this.#endAt(key, split + 1, key.length, 'rhs');
    const owners: [number, number] = [this.ownerOf(lhs), this.ownerOf(rhs)];
    if (!live) return owners;
    const trainedBy = trainingShard(...owners, this.#count);
    for (const end of [lhs, rhs]) {
      const unread = this.unread.get(end);
      if (unread !== undefined) {
        if (ownerHas(unread.name)) throw endLost(this.#layout.edgeOf(key), unread.name);
        unread.firstSeen = Math.min(at, unread.firstSeen);
        unread.lastSeen = Math.max(at, unread.lastSeen);
      }
      this.#live[end] = true;
      if (trainedBy !== this.ownerOf(end))
        this.#holders[end * this.#words + Math.floor(trainedBy / BITS)]! |= 1 << (trainedBy % BITS);
    }
    return owners;
  }

  /** The number of an end of an edge, whose name lies in the edge's key. */
  #endAt(key: Uint8Array, from: number, until: number, end: 'lhs' | 'rhs'): number {
    const known = this.#names.find(key, from, until);
    if (known >= 0) return known;
    const name = this.#layout.edgeOf(key)[end];
    const entity = this.#add(key, from, until, name);
    this.unread.set(entity, {
      name,
      firstSeen: Number.POSITIVE_INFINITY,
      lastSeen: Number.NEGATIVE_INFINITY,
    });
    return entity;
  }

  #add(key: Uint8Array, from: number, until: number, name: EntityKey): number {
    const entity = this.#names.size;
    this.#names.add(key, from, until, entity);
    this.#owners.push(shardOf(name, this.#count));
    this.#live.push(false);
    for (let word = 0; word < this.#words; word++) this.#holders.push(0);
    return entity;
  }
}

function endLost({ lhs, relation, rhs }: EdgeName, end: EntityKey): FatalError {
  return new FatalError(
    'store-damaged',
    `the edge ${lhs} ${relation} ${rhs} is in the store that owns ${end}, which has no such entity. Run twhin check, and restore that store from a backup`,
  );
}
