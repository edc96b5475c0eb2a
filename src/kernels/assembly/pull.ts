import {
  anchors, beta, vectorBytes, blockRowBytes, candidatePulls, candidates,
  distances, edgeRowBytes, scorer, TRANSE_L1, TRANSE_L2,
  TRANSE_L2_SQUARED, TWHIN, weightRowBytes, weights, weightsTransposed,
} from './layout';
import { product, transpose } from './matrix';
import { distanceOf } from './score';
import { signProduct } from './taxicab';
import { addScaled, signTimes, storePair, sumLanes } from './vector';

/*
 * A pull is ∂loss/∂score times the factor that the scorer's gradient has on both sides of a pair (a, b):
 *
 *     twhin      pull = β · weight              ∂a = pull · b              ∂b = pull · a
 *     transe-l2  pull = β · weight / distance   ∂a = pull · (b − a)        ∂b = pull · (a − b)
 *     … squared  pull = 2β · weight             ∂a = pull · (b − a)        ∂b = pull · (a − b)
 *     transe-l1  pull = β · weight              ∂a = pull · sign(b − a)    ∂b = pull · sign(a − b)
 *
 * where weight is ∂loss/∂score times the edge's weight.
 */

/** Adds the pull between a positive and its anchor to both gradients. */
export function pullPositive(
  weight: f32, anchor: usize, positive: usize, anchorGradient: usize, positiveGradient: usize,
): void {
  let pull = pullFactor() * weight;
  if (scorer == TWHIN) {
    addScaled(anchorGradient, pull, positive, vectorBytes);
    addScaled(positiveGradient, pull, anchor, vectorBytes);
    return;
  }
  if (scorer == TRANSE_L2) pull /= distanceOf(anchor, positive);
  const pulls = f32x4.splat(pull);
  for (let k: usize = 0; k < vectorBytes; k += 16) {
    const difference = f32x4.sub(v128.load(positive + k), v128.load(anchor + k));
    const move = scorer == TRANSE_L1 ? signTimes(pulls, difference) : f32x4.mul(pulls, difference);
    v128.store(anchorGradient + k, f32x4.add(v128.load(anchorGradient + k), move));
    v128.store(positiveGradient + k, f32x4.sub(v128.load(positiveGradient + k), move));
  }
}

function pullFactor(): f32 {
  return scorer == TRANSE_L2_SQUARED ? 2 * beta : beta;
}

/** Turns the weights of an anchor into pulls, in place. end: bytes, a multiple of 32; edgeWeight: that of its edge. */
export function pullRow(row: usize, end: usize, edgeWeight: f32): void {
  const factor = f32x4.splat(pullFactor() * edgeWeight);
  for (let j: usize = 0; j < end; j += 32) {
    storePair(row + j, f32x4.mul(factor, v128.load(row + j)), f32x4.mul(factor, v128.load(row + j, 16)));
  }
  if (scorer != TRANSE_L2) return;
  for (let j: usize = 0; j < end; j += 32) {
    const left = f32x4.div(v128.load(row + j), v128.load(distances + j));
    const right = f32x4.div(v128.load(row + j, 16), v128.load(distances + j, 16));
    storePair(row + j, left, right);
  }
}

/** Computes the gradients of all anchors and candidates from the pulls in `weights`. */
export function pullAll(edges: usize, count: usize, anchorGradients: usize, candidateGradients: usize): void {
  const numbers = vectorBytes >> 2;
  const rows = (edges + 3) & ~3;
  const columns = (count + 7) & ~7;
  if (scorer == TRANSE_L1) {
    signProduct(
      edges, numbers, count, weights, weightRowBytes, 4, anchors, candidates, anchorGradients, blockRowBytes,
    );
    signProduct(
      count, numbers, edges, weights, 4, weightRowBytes, candidates, anchors, candidateGradients, blockRowBytes,
    );
    return;
  }
  transpose(rows, columns, weights, weightRowBytes, weightsTransposed, edgeRowBytes);
  product(
    rows, numbers, count,
    weightsTransposed, edgeRowBytes, candidates, blockRowBytes, anchorGradients, blockRowBytes,
  );
  product(
    columns, numbers, edges,
    weights, weightRowBytes, anchors, blockRowBytes, candidateGradients, blockRowBytes,
  );
  if (scorer != TWHIN) subtractOwn(edges, count, columns << 2, anchorGradients, candidateGradients);
}

/** Subtracts the `a` of `pull · (b − a)`: for each anchor and candidate, its summed pulls times its vector. */
function subtractOwn(
  edges: usize, count: usize, end: usize, anchorGradients: usize, candidateGradients: usize,
): void {
  memory.fill(candidatePulls, 0, end);
  for (let i: usize = 0; i < edges; i++) {
    const row = weights + i * weightRowBytes;
    let sum = f32x4.splat(0);
    for (let j: usize = 0; j < end; j += 16) {
      const pull = v128.load(row + j);
      sum = f32x4.add(sum, pull);
      v128.store(candidatePulls + j, f32x4.add(v128.load(candidatePulls + j), pull));
    }
    const offset = i * blockRowBytes;
    addScaled(anchorGradients + offset, -sumLanes(sum), anchors + offset, vectorBytes);
  }
  for (let j: usize = 0; j < count; j++) {
    const offset = j * blockRowBytes;
    const sum = load<f32>(candidatePulls + (j << 2));
    addScaled(candidateGradients + offset, -sum, candidates + offset, vectorBytes);
  }
}
