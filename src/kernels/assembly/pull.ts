import {
  anchorGradients, anchors, beta, blockBytes, blockRowBytes, candidateGradients, candidatePulls, candidates,
  distances, scorer, TRANSE_L1, TRANSE_L2, TWHIN, weightRowBytes, weights,
} from './layout';
import { product } from './matrix';
import { distanceOf } from './score';
import { signProduct } from './taxicab';
import { addScaled, signTimes, sumLanes } from './vector';

/*
 * A pull is ∂loss/∂score times what the scorer's gradient has in common for both sides of a pair (a, b):
 *
 *     twhin      pull = β · weight              ∂a = pull · b              ∂b = pull · a
 *     transe-l2  pull = β · weight / distance   ∂a = pull · (b − a)        ∂b = pull · (a − b)
 *     transe-l1  pull = β · weight              ∂a = pull · sign(b − a)    ∂b = pull · sign(a − b)
 */

/** Pulls the positive and its anchor, one pair: to their gradients, which are added to. */
export function pullPositive(
  weight: f32, anchor: usize, positive: usize, anchorGradient: usize, positiveGradient: usize,
): void {
  let pull = beta * weight;
  if (scorer == TWHIN) {
    addScaled(anchorGradient, pull, positive, blockBytes);
    addScaled(positiveGradient, pull, anchor, blockBytes);
    return;
  }
  if (scorer == TRANSE_L2) pull /= distanceOf(anchor, positive);
  const pulls = f32x4.splat(pull);
  for (let k: usize = 0; k < blockBytes; k += 16) {
    const difference = f32x4.sub(v128.load(positive + k), v128.load(anchor + k));
    const move = scorer == TRANSE_L1 ? signTimes(pulls, difference) : f32x4.mul(pulls, difference);
    v128.store(anchorGradient + k, f32x4.add(v128.load(anchorGradient + k), move));
    v128.store(positiveGradient + k, f32x4.sub(v128.load(positiveGradient + k), move));
  }
}

/** Turns one anchor's weights into pulls, in place. end: bytes, a multiple of 16. */
export function pullRow(row: usize, end: usize): void {
  const factor = f32x4.splat(beta);
  for (let j: usize = 0; j < end; j += 16) {
    let pull = f32x4.mul(factor, v128.load(row + j));
    if (scorer == TRANSE_L2) pull = f32x4.div(pull, v128.load(distances + j));
    v128.store(row + j, pull);
  }
}

/** Fills the gradients of all anchors and candidates from the pulls in `weights`. */
export function pullAll(edges: usize, count: usize): void {
  const numbers = blockBytes >> 2;
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
  product(
    rows, numbers, count, weights, weightRowBytes, 4, candidates, blockRowBytes, anchorGradients, blockRowBytes,
  );
  product(
    columns, numbers, edges, weights, 4, weightRowBytes, anchors, blockRowBytes, candidateGradients, blockRowBytes,
  );
  if (scorer == TRANSE_L2) subtractOwn(edges, count, columns << 2);
}

/** The `− a` of `pull · (b − a)`, once for each anchor and candidate: its pulls summed, times itself. */
function subtractOwn(edges: usize, count: usize, end: usize): void {
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
    addScaled(anchorGradients + offset, -sumLanes(sum), anchors + offset, blockBytes);
  }
  for (let j: usize = 0; j < count; j++) {
    const offset = j * blockRowBytes;
    const sum = load<f32>(candidatePulls + (j << 2));
    addScaled(candidateGradients + offset, -sum, candidates + offset, blockBytes);
  }
}
