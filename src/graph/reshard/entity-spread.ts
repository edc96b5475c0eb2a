import { FatalError } from '../../errors/errors.ts';
import type { EdgeName } from '../edge.ts';
import type { EntityKey } from '../entity.ts';
import type { Layout } from '../layout.ts';
import { NameIndex } from '../name-index.ts';
import { shardOf, trainingShard } from '../shard.ts';

const BITS = 32;

/** An entity that live edges name and that its owner does not have: the owner has not read them yet. */
export interface UnreadEntity {
  readonly name: EntityKey;
  /** Times of the edges, epoch ms. */
  firstSeen: number;
  lastSeen: number;
}

/**
 * Which of `count` new shards hold a copy of each entity. Entities are numbered in the order in which they are added. Memory: an
 * entity's name, 40 bytes, and a bit for each shard.
 */
export class EntitySpread {
  /** The entities that their owners do not have, by number; few, for each is one that its owner was about to read. */
  readonly unread = new Map<number, UnreadEntity>();
  readonly #layout: Layout;
  readonly #count: number;
  readonly #names = new NameIndex();
  /** [entities, words] */
  readonly #holders: number[] = [];
  readonly #words: number;

  constructor(layout: Layout, count: number) {
    this.#layout = layout;
    this.#count = count;
    this.#words = Math.ceil(count / BITS);
  }

  /** Adds the entity whose name lies in a key. */
  add(key: Uint8Array, from = 1, until = key.length): number {
    const entity = this.#names.size;
    this.#names.add(key, from, until, entity);
    for (let word = 0; word < this.#words; word++) this.#holders.push(0);
    return entity;
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
   * Notes a live edge: the shard that trains it holds a copy of its far end.
   * key: of kind `e`. at: the edge's time. ownerHas: whether the present owner of an end has the edge.
   * @throws FatalError where an owner has the edge and not its own end.
   */
  link(key: Uint8Array, edge: EdgeName, at: number, ownerHas: (end: EntityKey) => boolean): void {
    const split = this.#layout.firstEnd(key);
    const { lhs, rhs } = edge;
    const owners = [shardOf(lhs, this.#count), shardOf(rhs, this.#count)] as const;
    const trainedBy = trainingShard(...owners, this.#count);
    const ends = [this.#endAt(key, 1, split, lhs), this.#endAt(key, split + 1, key.length, rhs)];
    for (const [i, end] of ends.entries()) {
      const unread = this.unread.get(end);
      if (unread !== undefined) {
        if (ownerHas(unread.name)) throw endLost(edge, unread.name);
        unread.firstSeen = Math.min(at, unread.firstSeen);
        unread.lastSeen = Math.max(at, unread.lastSeen);
      }
      if (trainedBy !== owners[i])
        this.#holders[end * this.#words + Math.floor(trainedBy / BITS)]! |= 1 << (trainedBy % BITS);
    }
  }

  /** The number of an end of an edge, whose name lies in the edge's key. */
  #endAt(key: Uint8Array, from: number, until: number, name: EntityKey): number {
    const known = this.#names.find(key, from, until);
    if (known >= 0) return known;
    const entity = this.add(key, from, until);
    this.unread.set(entity, {
      name,
      firstSeen: Number.POSITIVE_INFINITY,
      lastSeen: Number.NEGATIVE_INFINITY,
    });
    return entity;
  }
}

function endLost({ lhs, relation, rhs }: EdgeName, end: EntityKey): FatalError {
  return new FatalError(
    'store-damaged',
    `the edge ${lhs} ${relation} ${rhs} is in the store that owns ${end}, which has no such entity. Run twhin check, and restore that store from a backup`,
  );
}
