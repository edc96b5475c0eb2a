/** The compiled kernel: `kernels/instance.ts` sets the layout's globals by name, then calls these. */
import { clearGradients, count as gradientCount, foreign, gradientOf, keepForeign } from './gradients';
import {
  anchors, blockRowBytes, candidates, gradientAddresses, gradientRows, intAt, lhs, lhsCandidates, lhsCorrections,
  lhsMask, losses, relation, rhs, rhsCandidates, rhsCorrections, rhsMask, scoredRows, slotNumbers,
  weightRowBytes, weights,
} from './layout';
import { copyRow, isForeign, touchRows, translate } from './rows';
import { compareAll, scoreRow } from './score';
import { addSide } from './side';
import { updateRow } from './update';

export * from './layout';

/** The end of the compiler's own constants; the workspace must begin after it. */
export const constantsEnd: usize = __heap_base;

/** Rows brought into the cache at a time, before their update. */
const TOUCHED: i32 = 16;

/**
 * One training step on the chunk in the workspace, with this learning rate; returns the loss summed over both anchors of
 * each edge.
 */
export function step(edges: usize, lhsCount: usize, rhsCount: usize, learningRate: f32): f64 {
  clearGradients();
  memory.fill(losses, 0, edges << 2);
  // Rows of relations come first; all later rows belong to entities.
  for (let i: usize = 0; i < edges; i++) {
    gradientOf(2 * intAt(relation, i));
    gradientOf(2 * intAt(relation, i) + 1);
  }
  const relationRows = gradientCount;
  touchRows(lhs, edges);
  touchRows(rhs, edges);
  addSide(edges, lhs, 0, rhs, rhsCandidates, rhsCount, rhsMask, rhsCorrections);
  addSide(edges, rhs, 1, lhs, lhsCandidates, lhsCount, lhsMask, lhsCorrections);
  for (let n: i32 = 0; n < gradientCount; n++) {
    // The first rows of a large chunk have left the cache by now.
    if (n % TOUCHED == 0) touchRows(gradientRows + (<usize>n << 2), min(TOUCHED, gradientCount - n));
    const row = intAt(gradientRows, n);
    const gradient = intAt(gradientAddresses, n);
    if (isForeign(row)) keepForeign(row, gradient);
    else updateRow(row, gradient, n >= relationRows, learningRate);
  }
  let sum: f64 = 0;
  for (let i: usize = 0; i < edges; i++) sum += <f64>load<f32>(losses + (i << 2));
  return sum;
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
