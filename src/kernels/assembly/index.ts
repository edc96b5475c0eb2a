/** The compiled kernel: `kernels/instance.ts` sets the layout's globals by name, then calls these. */
import { clearGradients, count as gradientCount, foreign, gradientOf, keepForeign } from './gradients';
import {
  anchors, blockRowBytes, candidates, gradientAddresses, gradientRows, intAt, lhs, lhsCandidates, lhsCorrections,
  lhsMask, losses, positives, relation, rhs, rhsCandidates, rhsCorrections, rhsMask, scoredRows, slotNumbers,
  weightRowBytes, weights,
} from './layout';
import { copyRow, isForeign, touchRows, translate } from './rows';
import { compareAll, scoreRow } from './score';
import { compare, sum } from './side';
import { updateRow } from './update';

export * from './layout';

/** The end of the compiler's own constants; the workspace must begin after it. */
export const constantsEnd: usize = __heap_base;

/** Rows brought into the cache at a time, before their update. */
const TOUCHED: i32 = 16;

/** The first gradients of a step, which are those of relations. */
let relationRows: i32 = 0;

/** One training step on the chunk; returns the loss summed over both anchors of each edge. */
export function step(edges: usize, lhsCount: usize, rhsCount: usize, learningRate: f32): f64 {
  begin(edges);
  for (let reverse: usize = 0; reverse < 2; reverse++) {
    const count = reverse ? lhsCount : rhsCount;
    compareSide(reverse, edges, count);
    sumSide(reverse, edges, count, anchors, positives);
  }
  update(learningRate);
  let sum: f64 = 0;
  for (let i: usize = 0; i < edges; i++) sum += <f64>load<f32>(losses + (i << 2));
  return sum;
}

/**
 * The parts of a step. `compareSide` may run in another thread than the others, in a scratch of its own, on a chunk, gradients and
 * weights that both share.
 */
export function begin(edges: usize): void {
  clearGradients();
  memory.fill(losses, 0, edges << 2);
  // Rows of relations come first; all later rows belong to entities.
  for (let i: usize = 0; i < edges; i++) {
    gradientOf(2 * intAt(relation, i));
    gradientOf(2 * intAt(relation, i) + 1);
  }
  relationRows = gradientCount;
  touchRows(lhs, edges);
  touchRows(rhs, edges);
}

/** Computes the gradients of a side. The table is not written. */
export function compareSide(reverse: usize, edges: usize, count: usize): void {
  if (reverse) compare(1, edges, rhs, lhs, lhsCandidates, count, lhsMask, lhsCorrections);
  else compare(0, edges, lhs, rhs, rhsCandidates, count, rhsMask, rhsCorrections);
}

/** Sums the gradients of a side, rhs before lhs. anchors, positives: addresses in the scratch in which it was computed. */
export function sumSide(reverse: usize, edges: usize, count: usize, anchors: usize, positives: usize): void {
  if (reverse) sum(1, edges, rhs, lhs, lhsCandidates, count, anchors, positives);
  else sum(0, edges, lhs, rhs, rhsCandidates, count, anchors, positives);
}

/** Moves the rows. */
export function update(learningRate: f32): void {
  for (let n: i32 = 0; n < gradientCount; n++) {
    // The first rows of a large chunk have left the cache by now.
    if (n % TOUCHED == 0) touchRows(gradientRows + (<usize>n << 2), min(TOUCHED, gradientCount - n));
    const row = intAt(gradientRows, n);
    const gradient = intAt(gradientAddresses, n);
    if (isForeign(row)) keepForeign(row, gradient);
    else updateRow(row, gradient, n >= relationRows, learningRate);
  }
}

/**
 * The number of foreign rows in the last step. The rows are the first of `gradientRows`, and the addresses of their gradients
 * the first of `gradientAddresses`.
 */
export function foreignRows(): i32 {
  return foreign;
}

/**
 * Writes the scores of `anchorCount` anchors against the first `count` of `scoredRows` into the rows of `weights`. The rows
 * of anchors, then those of their relations, lie in `slotNumbers`, which are needed besides only during a step.
 */
export function scoreMatrix(anchorCount: usize, count: usize): void {
  touchRows(scoredRows, count);
  for (let i: usize = 0; i < anchorCount; i++) {
    translate(intAt(slotNumbers, i), intAt(slotNumbers, anchorCount + i), anchors + i * blockRowBytes);
  }
  for (let j: usize = 0; j < count; j++) copyRow(intAt(scoredRows, j), candidates + j * blockRowBytes);
  compareAll(anchorCount, count);
  for (let i: usize = 0; i < anchorCount; i++) scoreRow(anchors + i * blockRowBytes, weights + i * weightRowBytes, count);
}
