/** The end of an edge that candidates replace; the other end is the anchor. */
export type Side = 'lhs' | 'rhs';

/** One direction of training: candidates that replace one end of a chunk's edges. Only the first `edges` or `count` elements count. */
export interface ChunkSide {
  /** [edges] rows of the ends that stay, and of those that the candidates replace. */
  readonly anchors: Int32Array;
  readonly positives: Int32Array;
  /** The relation row of relation r is 2r + `reverse`. */
  readonly reverse: 0 | 1;
  /**
   * The candidates: their number and their rows. Duplicates are allowed. Where there are none, the side is not trained: with
   * every loss, its anchors have neither loss nor gradient.
   */
  count: number;
  readonly candidates: Int32Array;
  /**
   * [edges, maxCandidates] row-major: 1 where the candidate is not a negative of the edge, but its own or another known
   * positive. Rows are `maxCandidates` apart, whatever the count.
   */
  readonly mask: Uint8Array;
  /**
   * [count] what the softmax loss subtracts from the score of each candidate, 0 unless set: the logarithm of how many times as
   * often as others the candidate is drawn. The other losses ignore it.
   * Source: Yi et al. 2019, "Sampling-bias-corrected neural modeling for large corpus item recommendations".
   */
  readonly corrections: Float32Array;
}

/**
 * The input of one training step: up to `maxEdges` edges, of any relations but of one pair of entity types, with shared
 * candidates. The arrays belong to the kernel and are filled in place; only the first `edges` elements count. All rows are rows
 * of the table.
 */
export interface Chunk {
  readonly maxEdges: number;
  readonly maxCandidates: number;
  edges: number;
  /** The step size of Adagrad in this step: the model's learning rate unless set. */
  learningRate: number;
  /** [edges] rows of the left-hand entities. */
  readonly lhs: Int32Array;
  /** [edges] relation index r: the forward row is 2r, the reverse row 2r + 1. */
  readonly relation: Int32Array;
  /** [edges] rows of the right-hand entities. */
  readonly rhs: Int32Array;
  /** [edges] the factor on each edge's loss and gradient; 1 unless set. */
  readonly edgeWeights: Float32Array;
  readonly sides: Readonly<Record<Side, ChunkSide>>;
}

export type WasmBuild = 'wasm-plain' | 'wasm-relaxed';

/** A compiled kernel. The wide form of a build gives the same bytes, faster where V8 packs vectors into registers of 256 bits. */
export type WasmKernelName = WasmBuild | `${WasmBuild}-wide`;

/** The kernels: plain TypeScript in float64, the compiled ones, TensorFlow.js. */
export type KernelName = 'reference' | WasmKernelName | 'tfjs';

/** The kernels to choose from; `wasm` is the faster build that this machine can run. */
export type KernelChoice = KernelName | 'wasm';

/**
 * Runs training steps on a table. For each edge two anchors are trained: `lhs + forward` against rhs and its
 * candidates, `rhs + reverse` against lhs and its candidates.
 */
export interface Kernel {
  readonly name: KernelName;
  readonly chunk: Chunk;
  /** [maxEdges] the loss of each edge in the last step, summed over its two anchors. */
  readonly losses: Float32Array;
  /**
   * One step on `chunk`: scores, loss, gradients (summed by row before the update), row-wise Adagrad, unit ball, drift.
   * Returns the loss summed over the 2 · edges anchors. No byte of a foreign row is written.
   */
  step(): number;
  /**
   * Gives the gradients of the foreign rows in the last step, for the shards that own these rows: each row once, in the
   * order in which the step met them. A row whose gradient is zeros may be left out.
   * gradient: [dim], summed over all appearances of the row in the step; valid only during the call.
   */
  foreignGradients(visit: (row: number, gradient: Float32Array) => void): void;
  /** The scores of several anchors, each anchor row + relation row, against the same candidates, without the margin; higher is better. */
  scoreMatrix(...asked: ScoreMatrix): void;
}

/** anchors, relationRows: [n] rows; candidates: [m] rows; out: [n, m] row-major, overwritten. */
export type ScoreMatrix = [
  anchors: Int32Array,
  relationRows: Int32Array,
  candidates: Int32Array,
  out: Float32Array,
];
