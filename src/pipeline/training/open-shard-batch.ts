import { HalfVectors } from './half-vectors.ts';
import type { ShardBatch } from './trainer.ts';

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

  /** before: a batch that is closed, whose memory is used again. */
  constructor(dim: number, before?: OpenShardBatch) {
    this.vectors = before?.vectors ?? new HalfVectors(dim + 1);
    this.gradients = before?.gradients ?? new HalfVectors(dim);
  }

  get empty(): boolean {
    return this.received === 0 && this.relations.length === 0 && !this.wantsRelations;
  }

  /** Vectors and gradients received. */
  get received(): number {
    return this.vectors.length + this.gradients.length;
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
    };
  }
}
