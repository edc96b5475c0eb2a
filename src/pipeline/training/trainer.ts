import type { Checkpoint, CheckpointBlock, CheckpointFile } from '../../graph/checkpoint.ts';
import type { EdgeRows } from '../../graph/edge.ts';
import type { KernelChoice } from '../../model/kernel.ts';
import type { ModelSettings } from '../../model/settings.ts';
import type { TableOptions } from '../../model/table.ts';
import type { EdgeUpdates } from '../../sampling/batch.ts';
import type { TrainedRelation } from '../../sampling/negatives.ts';
import type { Publishing } from '../tuning.ts';
import type { Outgoing, ShardBatch } from './shard-batch.ts';

/** Settings of a trainer. Structured-cloneable: they are sent to the trainer's thread. */
export interface TrainerSettings extends EdgeUpdates {
  readonly model: ModelSettings;
  readonly kernel: KernelChoice;
  /** Whether the kernel may be wide: whoever makes the trainer gives its name in `kernel`. Not where it is left out. */
  readonly wide?: 'auto' | 'off';
  /** Threads that step on the table at once. With more than one, the same calls give other bytes each time. */
  readonly threads: number;
  /** Maximum rows of the table, entities and relations together. */
  readonly maxRows: number;
  /** Most live edges, which are kept out of the negatives and are rehearsed. More are refused. */
  readonly maxKnownEdges: number;
  /** Entity types by index. */
  readonly entityTypes: readonly string[];
  /** Relations by index, with the indices of their entity types. */
  readonly relations: readonly (TrainedRelation & { readonly name: string })[];
  readonly seed: number;
  /** Bound of a row's random start: each number is uniform in ±initScale. */
  readonly initScale: number;
  /** Steps over which the learning rate falls to a hundredth; where it is left out, the rate is constant. */
  readonly decaySteps?: number | undefined;
  /** Maximum number of edges that share their negatives. */
  readonly chunkEdges: number;
  /** Uniform negatives on each side. */
  readonly uniformNegatives: number;
  /** How far a row moves before its vector is sent again to the shards that hold a copy; .2 where it is left out. */
  readonly resendDistance?: number | undefined;
  /** Whether a chunk's own entities of a side are negatives as well. */
  readonly inBatchNegatives: boolean;
  /** Whether scores of negatives are corrected for how often they are drawn; they are not where it is left out. */
  readonly correctNegatives?: boolean;
  /** Whether each edge has its own anchor as a negative, where both ends are of one type; not where it is left out. */
  readonly anchorNegatives?: boolean;
  /** Edges ranked before each batch is trained, and candidates for each. */
  readonly evaluatedEdges: number;
  readonly evaluatedCandidates: number;
  /** Which shard of a graph this is; left out where the graph is whole. */
  readonly shard?: { readonly index: number; readonly count: number };
  /** Ranks each edge before it is learned, and reports it; left out in a live run. Training is the same with it. */
  readonly prequential?: PrequentialSettings | undefined;
}

/** How each edge of a stream is ranked before it is learned. */
export interface PrequentialSettings {
  /** Seed of the candidates, apart from that of the training. */
  readonly seed: number;
  /** Number of the first edge to rank, counted from the first edge of the stream. */
  readonly from: number;
  /** Candidates of each of the two sets. */
  readonly candidates: number;
  /** Half-life of recent popularity, in edges. */
  readonly halfLife: number;
  /** Edges learned before this trainer was made, in order, for the counts of events. */
  readonly before: EdgeRows;
}

export interface TrainBatch {
  /** See `batch-codec`. */
  readonly numbers: Int32Array<ArrayBuffer>;
  /** Present in a shard of a graph. */
  readonly shard?: ShardBatch;
}

/** Edges ranked before they were learned, in the order of the stream. */
export interface RankedEdges {
  /** [n] the number of each edge, counted from the first edge of the stream. */
  readonly edge: Float64Array;
  /** [n] row of lhs. */
  readonly lhs: Int32Array;
  /** [n] relation index. */
  readonly relation: Uint8Array;
  /** [n] events learned before with the entity at either end; 0: it is new. */
  readonly lhsEvents: Int32Array;
  readonly rhsEvents: Int32Array;
  /** [n] 1: the edge is live already, and the event repeats it. */
  readonly repeated: Uint8Array;
  /**
   * [n, 10] the rank of rhs by vectors, by popularity, by recent popularity, and by vectors with a random start for the
   * younger end, each among uniform candidates and among candidates by degree; then how many candidates were left in either.
   */
  readonly ranks: Float32Array;
}

/** Sums over the ranks of evaluated edges, so that reports can be added up. */
export interface RankSums {
  count: number;
  reciprocal: number;
  hits10: number;
  /** The same edges ranked by in-degree so far, and by chance. */
  popularityReciprocal: number;
  randomReciprocal: number;
}

export interface TrainReport {
  readonly step: number;
  readonly edges: number;
  /** Loss summed over both anchors of every edge, by relation index, of the steps that ended since the last report. */
  readonly loss: Float64Array;
  readonly edgesByRelation: Float64Array;
  /** By relation index: both ends trained before, or one of them new. */
  readonly known: readonly RankSums[];
  readonly fresh: readonly RankSums[];
  /** Rows that got their random start. */
  readonly started: number;
  /** Present with `prequential`. */
  readonly ranked?: RankedEdges;
  /** Present in a shard of a graph. */
  readonly outgoing?: Outgoing;
  /** Rows that the snapshot being taken has had to copy aside: see `Trainer.snapshot`. */
  readonly setAside: number;
  /** Processor time of the thread that took longest, ms: about what the batch takes a start. Absent where it is the caller's. */
  readonly workMs?: number;
}

/** Which rows are due to be published. */
export interface DueOptions extends Publishing {
  /** Epoch ms. */
  readonly now: number;
  /** Every row that moved since its publication is due, in slices: ask again until none is. */
  readonly everything: boolean;
  /**
   * Minimum age of a publication before a row that a new edge moved is due again, while the updater is behind and no vector could be
   * fresh. 0: no minimum. Above 0, rows that no new edge moved are due by age alone.
   */
  readonly holdMs: number;
  /** Rows that are due in any case. */
  readonly named: Int32Array;
  /** Memory that the trainer takes for the vectors, where they fit. */
  readonly spent?: Float32Array<ArrayBuffer> | undefined;
}

export interface TrainerState {
  readonly step: number;
  /** State of the random sources, for `start`. */
  readonly random: Uint32Array;
  /** [relation rows, dim + 1] vector and accumulator of each. */
  readonly relations: Float32Array<ArrayBuffer>;
  /** Rows that are copies of other parts' and have no vector. */
  readonly absent: Int32Array;
  /** What the trainer can't exceed, and how many live edges it has. */
  readonly limits: { readonly maxRows: number; readonly maxEdges: number; readonly liveEdges: number };
}

/** Rows that were given as due, and whether their vectors were acknowledged. */
export interface GivenDue {
  readonly rows: Int32Array;
  readonly isAcknowledged: boolean;
}

/** The vectors that are due, and where the training stands. They count as published from now on. */
export interface Due extends Omit<TrainerState, 'absent' | 'limits'> {
  /** [n] rows of entities, ascending, each once. */
  readonly rows: Int32Array;
  /** [n, dim] their vectors. */
  readonly vectors: Float32Array<ArrayBuffer>;
  /** [n] path since the publication before; NaN for a row that was never published. */
  readonly moved: Float32Array;
  /** Number of rows that moved far and are held back: they are due later. */
  readonly held: number;
}

/**
 * Trains one graph's table, in a thread of its own or in this one. Calls are answered in the order made; a call may
 * be made before the last is answered. With one thread, the same calls in the same order give the same bytes; on
 * `reference` and `wasm-plain`, on every machine; on `wasm-relaxed`, on all that fuse.
 */
export interface Trainer {
  /** Loads a checkpoint, and tells whether it has the edges. Never called for a fresh table. */
  load(checkpoint: Checkpoint): Promise<boolean>;
  /** Loads live edges, in any order: the result does not depend on it. */
  loadEdges(edges: EdgeRows): Promise<void>;
  /** Ends loading. Without stored state, relation rows are made at random from the seed. */
  start(state: { step: number; random: Uint32Array } | undefined): Promise<void>;
  /** The batch is the trainer's from the call on: its arrays may move to another thread. */
  train(batch: TrainBatch): Promise<TrainReport>;
  state(): Promise<TrainerState>;
  due(options: DueOptions): Promise<Due>;
  /** Notes rows that an earlier trainer gave as due by now. What is not acknowledged is due again. */
  gave(due: GivenDue): Promise<void>;
  /** Makes every row due that a batch moved since the start or the last `due`, and `rows`, with steps above `step`. */
  republish(again: { readonly step: number; readonly rows: Int32Array }): Promise<void>;
  /** [n, dim] vectors of rows. */
  vectors(rows: Int32Array): Promise<Float32Array>;
  /**
   * Begins a snapshot of the table and its live edges as they are now. Rows that move before they are taken are copied aside.
   * To be called right after `due`, or `state` where nothing is trained until it is taken. A snapshot still being taken is given up.
   */
  snapshot(): Promise<void>;
  /**
   * The next rows of the snapshot, in order; undefined after the last. spent: the numbers of a slice that was written, whose memory
   * the trainer takes: blocks of megabytes that are left to the garbage collector make it run for each few of them.
   */
  slice(spent?: Float32Array): Promise<CheckpointBlock | undefined>;
  stop(): Promise<void>;
}

/** The calls of a trainer in another thread, which opens the checkpoint's file itself: rows need not be sent. */
export type TrainerCalls = Omit<Trainer, 'load' | 'stop'> & { load(file: CheckpointFile): Promise<boolean> };

/** What kernels need of a table's memory. */
export interface Workspace {
  /** Bytes that stay free before the table's rows. */
  workspaceBytes(model: ModelSettings, maxEdges: number, maxCandidates: number, threads: number): number;
}

/** Upper bounds of a chunk's edges, and of its candidates on each side. */
export function chunkLimits(settings: TrainerSettings) {
  const { chunkEdges, uniformNegatives, inBatchNegatives, anchorNegatives } = settings;
  const own = (inBatchNegatives ? chunkEdges : 0) + (anchorNegatives ? chunkEdges : 0);
  return { maxEdges: chunkEdges, maxCandidates: own + uniformNegatives };
}

export function tableOptions(settings: TrainerSettings, kernels: Workspace): TableOptions {
  const { model, maxRows, threads } = settings;
  const { maxEdges, maxCandidates } = chunkLimits(settings);
  const workspaceBytes = kernels.workspaceBytes(model, maxEdges, maxCandidates, threads);
  return { dim: model.dim, maxRows, workspaceBytes };
}
