import { HalfVectors } from './half-vectors.ts';
import { HOLDING, type HolderNews, type ShardBatch, type Triples } from './trainer.ts';

/** More than there are shards: row and shard are one number. */
const SHARDS = 256;

/** The part of a batch being gathered that joins a shard to the others: whose its new entities are, and what was received. */
export class OpenShardBatch {
  readonly newHomes: number[] = [];
  /** Homes by row, where the row was another entity's before. */
  readonly reusedHomes = new Map<number, number>();
  /** Copies of relation vectors to be merged: those of other shards, a copy each. */
  relations: readonly Float32Array[] = [];
  /** Whether the other shards are to get the relation vectors of this one. */
  wantsRelations = false;
  /** The newest vectors of entities that belong to other shards. */
  readonly vectors: HalfVectors;
  /** Gradients of own rows that other shards computed. */
  readonly gradients: HalfVectors;
  /** Copies to be let go of after the batch. */
  readonly evicted: number[] = [];
  /** By row and shard, as one number: the last that was said of the shard's copy of the row. */
  readonly #holders = new Map<number, number>();

  constructor(dim: number) {
    this.vectors = new HalfVectors(dim);
    this.gradients = new HalfVectors(dim);
  }

  get empty(): boolean {
    const told = this.#holders.size + this.evicted.length;
    return this.received === 0 && this.relations.length === 0 && !this.wantsRelations && told === 0;
  }

  /** Vectors and gradients received. */
  get received(): number {
    return this.vectors.length + this.gradients.length;
  }

  /** Notes what another shard's parcel says of its copy of an own row. */
  hold(row: number, shard: number, holding: keyof typeof HOLDING): void {
    const id = row * SHARDS + shard;
    // A copy that was asked for is to get its vector, whatever was sent of it before.
    if (holding === 'used' && this.#holders.get(id) === HOLDING.wanted) return;
    this.#holders.set(id, HOLDING[holding]);
  }

  /** The row's entity was erased: what was received for it before is not to move what comes after. */
  forget(row: number): void {
    this.vectors.forget(row);
    this.gradients.forget(row);
    for (const id of this.#holders.keys()) if (Math.floor(id / SHARDS) === row) this.#holders.delete(id);
  }

  /** confirmed: live edges that are named again. */
  close(confirmed: Triples): ShardBatch {
    const reused = Int32Array.from(this.reusedHomes.keys()).sort();
    return {
      newHomes: Uint8Array.from(this.newHomes),
      reusedHomes: Uint8Array.from(reused, (row) => this.reusedHomes.get(row) ?? 0),
      vectors: this.vectors.take(),
      gradients: this.gradients.take(),
      relations: this.relations,
      wantsRelations: this.wantsRelations,
      holders: this.#news(),
      confirmed,
      evicted: Int32Array.from(this.evicted),
    };
  }

  #news(): HolderNews {
    const ids = [...this.#holders.keys()];
    return {
      rows: Int32Array.from(ids, (id) => Math.floor(id / SHARDS)),
      shards: Uint8Array.from(ids, (id) => id % SHARDS),
      holding: Uint8Array.from(this.#holders.values()),
    };
  }
}
