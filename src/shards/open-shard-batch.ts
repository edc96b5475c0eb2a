import type { ShardBatch } from '../pipeline/training/shard-batch.ts';
import { HalfVectors } from './half-vectors.ts';

/** More than there are shards: row and shard are one number. */
const SHARDS = 256;

/** What is gathered of other shards for the next batch: copies that are new, and what was received. */
export class OpenShardBatch {
  /** The newest vectors of entities that belong to other shards, each with the square root of its accumulator. */
  readonly vectors: HalfVectors;
  /** Gradients of own rows that other shards computed. */
  readonly gradients: HalfVectors;
  /** By own row and shard, as one number: whether the shard's copy has no vector. */
  readonly #inUse = new Map<number, boolean>();
  /** By row: the shard that owns the entity. */
  readonly #copies = new Map<number, number>();

  constructor(dim: number) {
    this.vectors = new HalfVectors(dim + 1);
    this.gradients = new HalfVectors(dim);
  }

  /** Whether it has nothing that a batch would be made for. */
  get empty(): boolean {
    return this.received === 0 && this.#inUse.size === 0;
  }

  /** Vectors and gradients received. */
  get received(): number {
    return this.vectors.length + this.gradients.length;
  }

  /** Notes that the row is a copy of an entity of the shard `owner`. */
  copy(row: number, owner: number): void {
    this.#copies.set(row, owner);
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

  /** What was gathered; nothing is gathered then. */
  close(due: Pick<ShardBatch, 'range' | 'relations' | 'wantsRelations' | 'turn'>): ShardBatch {
    const copies = {
      rows: Int32Array.from(this.#copies.keys()),
      owners: Uint8Array.from(this.#copies.values()),
    };
    const inUse = {
      rows: Int32Array.from(this.#inUse.keys(), (id) => Math.floor(id / SHARDS)),
      shards: Uint8Array.from(this.#inUse.keys(), (id) => id % SHARDS),
      wanted: Uint8Array.from(this.#inUse.values(), Number),
    };
    this.#copies.clear();
    this.#inUse.clear();
    return { copies, vectors: this.vectors.take(), gradients: this.gradients.take(), inUse, ...due };
  }
}
