import type { KernelChoice } from '../../model/kernel.ts';
import type { ModelSettings } from '../../model/settings.ts';
import type { Publishing } from '../tuning.ts';

/** How a new entity's row starts, in the batch that first names it. */
export type InitRule = 'random' | 'neighbours';

/** Rows that started, by the rule that gave them their start. */
export type Started = Readonly<Record<InitRule, number>>;

/** Everything a trainer is made from. Structured-cloneable: it crosses to the trainer's thread. */
export interface TrainerSettings {
  readonly model: ModelSettings;
  readonly kernel: KernelChoice;
  /** Threads that step on the table at once; of the same calls, more than one give other bytes each time. */
  readonly threads: number;
  /** Rows the table may hold, entities and relations together. */
  readonly maxRows: number;
  /** Live edges remembered, to keep them out of the negatives and to be rehearsed; past it, further ones are not. */
  readonly maxKnownEdges: number;
  /** Bytes of memory for these; where there is a place for what is beyond them, the rest is there. */
  readonly knownEdgesBytes: number;
  /** Entity types by index. */
  readonly entityTypes: readonly string[];
  /** Relations by index, with the indices of their entity types. */
  readonly relations: readonly {
    readonly name: string;
    readonly lhsType: number;
    readonly rhsType: number;
    /** What the loss of its edges is multiplied by; 1 where it is left out. */
    readonly weight?: number;
  }[];
  readonly seed: number;
  readonly init: InitRule;
  /** A row starts with each number uniform in ±initScale. */
  readonly initScale: number;
  /** Updates for each new edge in all: its own, and the others of stored edges drawn uniformly. */
  readonly updatesPerEdge: number;
  /** Edges that share their negatives, at most. */
  readonly chunkEdges: number;
  /** Uniform negatives a side. */
  readonly uniformNegatives: number;
  /** On top of these, a chunk's own entities of that side. */
  readonly inBatchNegatives: boolean;
  /** Rows of a type that a batch's uniform negatives are drawn from; 0: all. */
  readonly negativePool: number;
  /** Edges ranked before each batch is trained, and candidates they are ranked against. */
  readonly evaluatedEdges: number;
  readonly evaluatedCandidates: number;
}

/** One batch as rows. Triples are three arrays of one length. */
export interface Triples {
  readonly lhs: Int32Array;
  readonly relation: Int32Array;
  readonly rhs: Int32Array;
}

export interface TrainBatch {
  /** [n] type index of each entity first named here; their rows follow the last in use, in this order. */
  readonly newTypes: Uint8Array;
  /** Rows dropped in an earlier batch that are other entities' now, ascending, and [n] the type index of each. */
  readonly reused: { readonly rows: Int32Array; readonly types: Uint8Array };
  /** Rows erased whole: zeroed, and not sampled again unless they are used again. */
  readonly dropped: Int32Array;
  /** Rows that start again like new ones (erased, but named by newer events). */
  readonly reset: Int32Array;
  /** Edges to train on, in arrival order; none touches a dropped row. */
  readonly edges: Triples;
  /** Edges live after this batch that were not before, and the other way round. */
  readonly added: Triples;
  readonly removed: Triples;
}

/** Ranks of held-back edges, summed, so that sums over batches are sums of reports. */
export interface RankSums {
  count: number;
  reciprocal: number;
  hits10: number;
  /** The same edges ranked by how often each candidate was a positive so far, and by chance. */
  popularityReciprocal: number;
  randomReciprocal: number;
}

export interface TrainReport {
  readonly step: number;
  readonly edges: number;
  /** Loss summed over both anchors of every edge, by relation index. */
  readonly loss: Float64Array;
  readonly edgesByRelation: Float64Array;
  /** By relation index: both ends trained before, or one of them new. */
  readonly known: readonly RankSums[];
  readonly fresh: readonly RankSums[];
  readonly started: Started;
  /** Rows changed since the last checkpoint. */
  readonly changedRows: number;
}

/** Which rows a checkpoint puts up for publishing. */
export interface CheckpointOptions extends Publishing {
  /** Epoch ms. */
  readonly now: number;
  /** Rows that moved at all since they were last published, a slice of them at a time: ask again until none is flagged. */
  readonly everything: boolean;
  /**
   * One that was published is not published again for having moved more than epsilon before it is this old: while an updater is
   * far behind, no vector of its is as fresh as that in any case. It is not forgotten. 0: at once.
   */
  readonly holdMs: number;
  /** Memory of a checkpoint that is done with, to be used again where the next one fits. */
  readonly spare?: SharedArrayBuffer | undefined;
}

/** What a commit has to write of the model: every row that changed since the last checkpoint, copied aside. */
export interface Checkpoint {
  readonly step: number;
  /** State of every random source, to be handed back to `load`. */
  readonly random: Uint32Array;
  /** [n] rows that changed, ascending, relation rows included. */
  readonly rows: Int32Array;
  /** Rows that moved more than epsilon and are held back, in all: a later checkpoint is to publish them. */
  readonly held: number;
  /** [n, dim + 2]: vector, accumulator, drift. Drift is 0 where `publish` is set. */
  readonly floats: Float32Array;
  /** [n] 1: publish this row. Never set for relation rows. */
  readonly publish: Uint8Array;
  /** [n] drift until now, before `publish` made it 0; NaN where it was never published, and for relation rows. */
  readonly moved: Float32Array;
}

/** What a store held, in the order of rows. */
export interface LoadedRows {
  /** [n] type index, 255 for a relation's row or a dropped row. */
  readonly types: Uint8Array;
  /** [n] 1: trained at least once. */
  readonly trained: Uint8Array;
  /** [n, dim + 2] as in {@link Checkpoint}. */
  readonly floats: Float32Array;
}

/** Rows that follow one another as the trainer has them, and the live edges out of them that it remembers. */
export interface HeldRows {
  /** [n, dim + 2] as in {@link Checkpoint}. */
  readonly floats: Float32Array;
  readonly edges: Triples;
}

/**
 * Trains one graph's table, in a thread of its own or in this one. Calls are answered in the order made; a call may
 * be made before the last is answered. With one thread, the same calls in the same order give the same bytes; on
 * `reference` and `wasm-plain`, on every machine.
 */
export interface Trainer {
  /** Loads the next rows of a stored table; for a fresh one, never called. */
  loadRows(rows: LoadedRows): Promise<void>;
  /** Loads live edges, in any order: the result does not depend on it. */
  loadEdges(edges: Triples): Promise<void>;
  /** Ends loading. Without stored state, relation rows are made at random from the seed. */
  start(state: { step: number; random: Uint32Array } | undefined): Promise<void>;
  train(batch: TrainBatch): Promise<TrainReport>;
  checkpoint(options: CheckpointOptions): Promise<Checkpoint>;
  /** Rows from `first` on, and the edges out of them: what `loadRows` and `loadEdges` would make them again of. */
  readRows(first: number, count: number): Promise<HeldRows>;
  stop(): Promise<void>;
}
