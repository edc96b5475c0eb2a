import { FatalError } from '../../errors/errors.ts';
import type { EdgeName } from '../edge.ts';
import type { EntityKey } from '../entity.ts';
import type { Layout } from '../layout.ts';
import { NameIndex } from '../name-index.ts';
import { shardOf, trainingShard } from '../shard.ts';

const BITS = 32;

/** The number of an entity, or its name where no store has it. */
type End = number | EntityKey;

/** An entity that live edges name and no store has: its owner has not read them yet. */
export interface UnreadEntity {
  readonly home: number;
  /** The shards that hold a copy. */
  readonly holders: ReadonlySet<number>;
  /** Epoch ms. */
  readonly firstSeen: number;
  readonly lastSeen: number;
}

/**
 * To which of `count` new shards each entity belongs, and which of them hold a copy of it. Entities are numbered in the order in which
 * they are added. Memory: an entity's name, 20 bytes, and a bit for each shard.
 */
export class EntitySpread {
  /** The entities that no store has, by name; few, for each is one that its owner was about to read. */
  readonly unread = new Map<EntityKey, UnreadEntity>();
  readonly #layout: Layout;
  readonly #count: number;
  readonly #names = new NameIndex();
  readonly #homes: Uint8Array;
  /** 1: an end of a live edge. */
  readonly #live: Uint8Array;
  /** [most, words] */
  readonly #words: number;
  readonly #holders: Uint32Array;

  /** most: entities that may be added. */
  constructor(layout: Layout, count: number, most: number) {
    this.#layout = layout;
    this.#count = count;
    this.#homes = new Uint8Array(most);
    this.#live = new Uint8Array(most);
    this.#words = Math.ceil(count / BITS);
    this.#holders = new Uint32Array(most * this.#words);
  }

  /** key: of kind `n`. */
  add(key: Uint8Array, name: EntityKey): void {
    const entity = this.#names.size;
    this.#homes[entity] = shardOf(name, this.#count);
    this.#names.add(key, 1, key.length, entity);
  }

  homeOf(entity: number): number {
    return this.#homes[entity]!;
  }

  /** Whether the entity is an end of a live edge. */
  isNamed(entity: number): boolean {
    return this.#live[entity] === 1;
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
    const [lhs, rhs] = this.#endsOf(key);
    const homes: [number, number] = [this.#homeOfEnd(lhs), this.#homeOfEnd(rhs)];
    if (!live) return homes;
    for (const end of [lhs, rhs])
      if (typeof end !== 'number' && ownerHas(end)) throw endLost(this.#layout.edgeOf(key), end);
    const trainedBy = trainingShard(...homes, this.#count);
    this.#name(lhs, at, homes[0], trainedBy);
    this.#name(rhs, at, homes[1], trainedBy);
    return homes;
  }

  #endsOf(key: Uint8Array): [lhs: End, rhs: End] {
    const end = this.#layout.firstEnd(key);
    const lhs = this.#names.find(key, 1, end);
    const rhs = this.#names.find(key, end + 1, key.length);
    if (lhs >= 0 && rhs >= 0) return [lhs, rhs];
    const edge = this.#layout.edgeOf(key);
    return [lhs < 0 ? edge.lhs : lhs, rhs < 0 ? edge.rhs : rhs];
  }

  #homeOfEnd(end: End): number {
    return typeof end === 'number' ? this.#homes[end]! : shardOf(end, this.#count);
  }

  /** Notes that an entity is an end of a live edge, and that the shard that trains the edge has it. */
  #name(end: End, at: number, home: number, trainedBy: number): void {
    if (typeof end === 'number') {
      this.#live[end] = 1;
      if (trainedBy !== home) this.#hold(end, trainedBy);
      return;
    }
    const { firstSeen = at, lastSeen = at, holders = [] } = this.unread.get(end) ?? {};
    this.unread.set(end, {
      home,
      firstSeen: Math.min(at, firstSeen),
      lastSeen: Math.max(at, lastSeen),
      holders: new Set(trainedBy === home ? holders : [...holders, trainedBy]),
    });
  }

  #hold(entity: number, shard: number): void {
    this.#holders[entity * this.#words + Math.floor(shard / BITS)]! |= 1 << (shard % BITS);
  }
}

function endLost({ lhs, relation, rhs }: EdgeName, end: EntityKey): FatalError {
  return new FatalError(
    'store-damaged',
    `the edge ${lhs} ${relation} ${rhs} is in the store that owns ${end}, which has no such entity. Run twhin check, and restore that store from a backup`,
  );
}
