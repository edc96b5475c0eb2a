import type { EntityKey } from '../../graph/entity.ts';

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
