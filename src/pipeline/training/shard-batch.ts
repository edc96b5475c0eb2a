/**
 * Rows with a gradient or a vector each, in half precision: [n] rows, and [n, dim] halves of gradients or [n, dim + 1] halves of
 * vectors, each of which ends with the square root of its row's accumulator.
 */
export interface RowVectors {
  readonly rows: Int32Array;
  readonly halves: Float16Array;
}

/** [n] own rows, each with a shard that uses its copy of the row, and 1 where that copy has no vector. */
export interface CopiesInUse {
  readonly rows: Int32Array;
  readonly shards: Uint8Array;
  readonly wanted: Uint8Array;
}

/** The edges of a batch in the range of all that a shard ever handed to its trainer: after `first`, up to `last`. */
export interface TrainedRange {
  readonly first: number;
  readonly last: number;
}

/** A batch's part of what joins the shards of a graph. */
export interface ShardBatch {
  /** By which the shards that its parcels go to know them. */
  readonly range: TrainedRange;
  /** [n] rows of the batch's new entities that are copies, and the shard that owns each. */
  readonly copies: { readonly rows: Int32Array; readonly owners: Uint8Array };
  /** Vectors of copies. */
  readonly vectors: RowVectors;
  /** Gradients of own rows, each applied as one step, in order. */
  readonly gradients: RowVectors;
  /** Relation vectors of other shards to be merged with the own ones: a copy each, as in {@link Outgoing}. */
  readonly relations: readonly Float32Array[];
  /** Whether the report is to have relation vectors, as they were before the merge. */
  readonly wantsRelations: boolean;
  /** Copies of own rows that other shards use: each has a lease from this batch on. */
  readonly inUse: CopiesInUse;
  /** Whether leases end that were not renewed since the last turn but one. */
  readonly turn: boolean;
}

/** What came out of a batch, and may not have reached the other shards. */
export interface Unsent {
  readonly range: TrainedRange;
  readonly outgoing: Outgoing;
}

/** What is to be sent to other shards after a batch. */
export interface Outgoing {
  /** By the shard that they go to. */
  readonly to: readonly {
    /** Gradients of rows that belong to the shard, one for each row and chunk. */
    readonly gradients: RowVectors;
    /** Vectors of own rows that the shard holds copies of. */
    readonly vectors: RowVectors;
  }[];
  /** [relation rows, dim + 1] vector and accumulator of each relation row, where they were asked for. */
  readonly relations?: Float32Array;
  /** Edges that wait for the vector of their far end. */
  readonly waiting: number;
}
