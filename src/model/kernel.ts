/**
 * One training step's input: up to `maxEdges` edges of mixed relations but one pair of entity types, which share
 * their candidates. The arrays belong to the kernel and are filled in place; only the first `edges` (and
 * `lhsCount`, `rhsCount`) elements count. All rows are the table's.
 */
export interface Chunk {
  readonly maxEdges: number;
  readonly maxCandidates: number;
  edges: number;
  /** [edges] rows of the left-hand entities. */
  readonly lhs: Int32Array;
  /** [edges] relation index r: the forward row is 2r, the reverse row 2r + 1. */
  readonly relation: Int32Array;
  /** [edges] rows of the right-hand entities. */
  readonly rhs: Int32Array;
  /** [edges] what each edge's loss, and with it its gradient, is multiplied by. 1 unless it is set. */
  readonly edgeWeights: Float32Array;
  /** Candidates to stand in for lhs: how many, and their rows. Duplicates are allowed. */
  lhsCount: number;
  readonly lhsCandidates: Int32Array;
  /** Candidates to stand in for rhs. */
  rhsCount: number;
  readonly rhsCandidates: Int32Array;
  /**
   * [edges, maxCandidates] row-major: 1 where the candidate is no negative of this edge, being its own positive or
   * another known one. Rows are `maxCandidates` apart whatever the count.
   */
  readonly lhsMask: Uint8Array;
  readonly rhsMask: Uint8Array;
}

/** What runs training steps: plain TypeScript in float64, one of the two builds of the compiled kernel, or TensorFlow.js. */
export type KernelName = 'reference' | 'wasm-plain' | 'wasm-relaxed' | 'tfjs';

/** What may be asked for; `wasm` is the faster build that this machine runs. */
export type KernelChoice = KernelName | 'wasm';

/**
 * Runs training steps on a table. For each edge two anchors are trained: `lhs + forward` against rhs and its
 * candidates, `rhs + reverse` against lhs and its candidates.
 */
export interface Kernel {
  readonly name: KernelName;
  readonly chunk: Chunk;
  /** [maxEdges] loss of each edge in the last step, both anchors together. */
  readonly losses: Float32Array;
  /**
   * One step on `chunk`: scores, loss, gradients (a row's summed first, however often it occurs), row-wise Adagrad,
   * unit ball, drift. Returns the loss summed over the 2 · edges anchors.
   */
  step(): number;
  /**
   * Scores of anchor row + relation row against each candidate row, higher is better.
   * candidates: [n] rows; out: [n], overwritten. The margin is not added.
   */
  scores(anchor: number, relationRow: number, candidates: Int32Array, out: Float32Array): void;
}
