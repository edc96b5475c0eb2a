import { FatalError } from '../../errors/errors.ts';
import type { EntityKey } from '../entity.ts';
import type { Layout } from '../layout.ts';
import { NameIndex } from '../name-index.ts';
import { shardOf } from '../shard.ts';

const BITS = 32;

/**
 * To which of `count` new shards each entity belongs, and which of them hold a copy of it. Entities are numbered in the order in which
 * they are added. Memory: an entity's name, 20 bytes, and a bit for each shard.
 */
export class EntitySpread {
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
   * The shards that own the ends of an edge, and notes for a live edge that each of the two holds a copy of the other's end.
   * key: of kind `e`. @throws FatalError where a live edge names an entity that no store has.
   */
  place(key: Uint8Array, live: boolean): [lhs: number, rhs: number] {
    const end = this.#layout.firstEnd(key);
    const lhs = this.#names.find(key, 1, end);
    const rhs = this.#names.find(key, end + 1, key.length);
    if (lhs < 0 || rhs < 0) return this.#placeUnknown(key, live);
    const homes: [number, number] = [this.#homes[lhs]!, this.#homes[rhs]!];
    if (!live) return homes;
    this.#live[lhs] = 1;
    this.#live[rhs] = 1;
    if (homes[0] !== homes[1]) {
      this.#hold(lhs, homes[1]);
      this.#hold(rhs, homes[0]);
    }
    return homes;
  }

  /** A removal is remembered for entities that no store has, too. */
  #placeUnknown(key: Uint8Array, live: boolean): [lhs: number, rhs: number] {
    const { lhs, relation, rhs } = this.#layout.edgeOf(key);
    if (!live) return [shardOf(lhs, this.#count), shardOf(rhs, this.#count)];
    throw new FatalError(
      'store-damaged',
      `the edge ${lhs} ${relation} ${rhs} has an end that is an entity of no store. Its owner has not read it yet, and other shards let go of ` +
        'their copies: run all shards with --until-caught-up first. Where that does not help, twhin check says more',
    );
  }

  #hold(entity: number, shard: number): void {
    this.#holders[entity * this.#words + Math.floor(shard / BITS)]! |= 1 << (shard % BITS);
  }
}
