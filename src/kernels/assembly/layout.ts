/**
 * The addresses of all blocks, and the model's settings. `kernels/instance.ts` sets these exports by name before the first
 * call. Addresses and `…Bytes` are in bytes, the rest as in `ModelSettings`.
 * The table's row is drawn in `model/table.ts`, the workspace in `kernels/workspace.ts`.
 */

// Table
export let tableBase: usize = 0;
export let rowBytes: usize = 0;
/** Length of a padded vector, a multiple of 32, in table and blocks. In a table row, accumulator and drift follow. */
export let vectorBytes: usize = 0;
export let dim: f32 = 0;

// Model
export let scorer: i32 = 0;
export let loss: i32 = 0;
export let beta: f32 = 0;
export let margin: f32 = 0;
export let negativeWeight: f32 = 0;
export let unitBall: i32 = 0;

/** 1 where tiles of matrix products have 16 columns, for a V8 that packs pairs of vectors; the results are the same. */
export let wide: i32 = 0;

// Chunk
export let maxCandidates: usize = 0;
export let lhs: usize = 0;
export let relation: usize = 0;
export let rhs: usize = 0;
/** [edges] the factor on each edge's loss. */
export let edgeWeights: usize = 0;
export let lhsCandidates: usize = 0;
export let rhsCandidates: usize = 0;
export let lhsMask: usize = 0;
export let rhsMask: usize = 0;
/** [candidates] subtracted from the scores of candidates by the softmax loss. */
export let lhsCorrections: usize = 0;
export let rhsCorrections: usize = 0;
/** [maxEdges] output: the loss of each edge, summed over both anchors. */
export let losses: usize = 0;

// Blocks of vectors, `blockRowBytes` apart.
export let blockRowBytes: usize = 0;
export let anchors: usize = 0;
export let positives: usize = 0;
export let candidates: usize = 0;
/** Two blocks, one for each side. */
export let anchorGradients: usize = 0;
export let candidateGradients: usize = 0;
export let anchorGradientsBytes: usize = 0;
export let candidateGradientsBytes: usize = 0;
/** For each side, `edgeBytes` apart: [edges] ∂loss/∂(positive score), times the edge's weight; and the loss, times the same. */
export let positiveWeights: usize = 0;
export let sideLosses: usize = 0;
export let edgeBytes: usize = 0;
/** Gradients summed by row, and their hash table: see `gradients.ts`. */
export let gradients: usize = 0;
export let gradientRows: usize = 0;
export let gradientAddresses: usize = 0;
export let slotRows: usize = 0;
export let slotNumbers: usize = 0;
export let slotMask: usize = 0;

// Blocks of one float per candidate, `weightRowBytes` apart.
export let weightRowBytes: usize = 0;
/** [dim, candidates]: the transposed candidates, as a factor of `product`. */
export let candidatesTransposed: usize = 0;
/** [edges, candidates]: scores, then ∂loss/∂score, then pulls, in place. */
export let weights: usize = 0;
export let candidateNorms: usize = 0;
/** [candidates]: distances to the current anchor. */
export let distances: usize = 0;
/** [candidates]: pulls summed over the anchors. */
export let candidatePulls: usize = 0;

// Blocks of one float per edge, `edgeRowBytes` apart.
export let edgeRowBytes: usize = 0;
/** [dim, edges], [candidates, edges]: transposed anchors and pulls. */
export let anchorsTransposed: usize = 0;
export let weightsTransposed: usize = 0;

/** Two vectors whose lanes are to be summed: see `sumPair`. */
export let sums: usize = 0;

// Scoring
export let scoredRows: usize = 0;

export const TRANSE_L1: i32 = 0;
export const TRANSE_L2: i32 = 1;
export const TWHIN: i32 = 2;
export const TRANSE_L2_SQUARED: i32 = 3;
export const SOFTMAX: i32 = 0;
export const LOGISTIC: i32 = 1;
export const MARGIN: i32 = 2;

/** The address of a table row. */
// @ts-ignore: decorator
@inline
export function rowAt(row: i32): usize {
  return tableBase + <usize>row * rowBytes;
}

/** Row number `i` of an array of rows. */
// @ts-ignore: decorator
@inline
export function intAt(array: usize, i: usize): i32 {
  return load<i32>(array + (i << 2));
}
