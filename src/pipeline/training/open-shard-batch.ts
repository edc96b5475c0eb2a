import { HalfVectors } from './half-vectors.ts';
import type { ShardBatch } from './trainer.ts';

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
  /** The newest vectors of entities that belong to other shards, each with the square root of its accumulator. */
  readonly vectors: HalfVectors;
  /** Gradients of own rows that other shards computed. */
  readonly gradients: HalfVectors;
  /** Whether leases turn with the batch. */
  turn = false;
  /** By own row and shard, as one number: whether the shard's copy has no vector. */
  readonly #inUse = new Map<number, boolean>();

  /** before: a batch that is closed, whose memory is used again. */
  constructor(dim: number, before?: OpenShardBatch) {
    this.vectors = before?.vectors ?? new HalfVectors(dim + 1);
    this.gradients = before?.gradients ?? new HalfVectors(dim);
  }

  get empty(): boolean {
    return (
      this.received === 0 && this.relations.length === 0 && !this.wantsRelations && this.#inUse.size === 0
    );
  }

  /** Vectors and gradients received. */
  get received(): number {
    return this.vectors.length + this.gradients.length;
  }

  /** Notes that another shard uses its copy of an own row. wanted: the copy has no vector. */
  uses(row: number, shard: number, wanted = false): void {
    const id = row * SHARDS + shard;
    this.#inUse.set(id, wanted || (this.#inUse.get(id) ?? false));
  }

  /** The row's entity was erased: what was received for it before is not to move what comes after. */
  forget(row: number): void {
    this.vectors.forget(row);
    this.gradients.forget(row);
  }

  close(): ShardBatch {
    const reused = Int32Array.from(this.reusedHomes.keys()).sort();
    return {
      newHomes: Uint8Array.from(this.newHomes),
      reusedHomes: Uint8Array.from(reused, (row) => this.reusedHomes.get(row) ?? 0),
      vectors: this.vectors.take(),
      gradients: this.gradients.take(),
      relations: this.relations,
      wantsRelations: this.wantsRelations,
      inUse: {
        rows: Int32Array.from(this.#inUse.keys(), (id) => Math.floor(id / SHARDS)),
        shards: Uint8Array.from(this.#inUse.keys(), (id) => id % SHARDS),
        wanted: Uint8Array.from(this.#inUse.values(), Number),
      },
      turn: this.turn,
    };
  }
}
