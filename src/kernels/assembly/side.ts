import { addGradient, gradientOf } from './gradients';
import {
  anchorGradients, anchorGradientsBytes, anchors, blockRowBytes, candidateGradients, candidateGradientsBytes,
  candidates, edgeWeights, intAt, loss, losses,
  maxCandidates, positives, positiveWeights, relation, SOFTMAX, weightRowBytes, weights,
} from './layout';
import { anchorLoss, anyCorrection, correctScores, maskScores, positiveWeight, weigh } from './loss';
import { pullAll, pullPositive, pullRow } from './pull';
import { copyRow, touchRows, translate } from './rows';
import { compareAll, scoreOf, scoreRow } from './score';

/**
 * Adds the gradients and losses of one side: anchors translated by their relations (`reverse`: 0 or 1), against the
 * positives and `count` candidates. A side without candidates is not trained. The table is not written.
 *
 * Blocks are computed in complete tiles. Values past the last edge and candidate are left from an earlier chunk; they are
 * masked or never read.
 */
export function addSide(
  edges: usize, anchorRows: usize, reverse: usize, positiveRows: usize,
  candidateRows: usize, count: usize, mask: usize, corrections: usize,
): void {
  if (count == 0) return;
  touchRows(candidateRows, count);
  for (let i: usize = 0; i < edges; i++) {
    translate(intAt(anchorRows, i), 2 * intAt(relation, i) + <i32>reverse, anchors + i * blockRowBytes);
    copyRow(intAt(positiveRows, i), positives + i * blockRowBytes);
  }
  for (let j: usize = 0; j < count; j++) copyRow(intAt(candidateRows, j), candidates + j * blockRowBytes);

  compareAll(edges, count);
  // Mostly there are none, and then no anchor has to subtract them.
  const corrected = loss == SOFTMAX && anyCorrection(corrections, count);
  for (let i: usize = 0; i < edges; i++) weighAnchor(i, count, mask + i * maxCandidates, corrected ? corrections : 0);
  // Each side has its own block, since the sums of the first side stay in its block until the update.
  const toAnchors = anchorGradients + reverse * anchorGradientsBytes;
  const toCandidates = candidateGradients + reverse * candidateGradientsBytes;
  pullAll(edges, count, toAnchors, toCandidates);

  for (let i: usize = 0; i < edges; i++) {
    const offset = i * blockRowBytes;
    const gradient = toAnchors + offset;
    const weight = load<f32>(positiveWeights + (i << 2));
    pullPositive(weight, anchors + offset, positives + offset, gradient, gradientOf(intAt(positiveRows, i)));
    addGradient(2 * intAt(relation, i) + <i32>reverse, gradient);
    addGradient(intAt(anchorRows, i), gradient);
  }
  for (let j: usize = 0; j < count; j++) {
    addGradient(intAt(candidateRows, j), toCandidates + j * blockRowBytes);
  }
}

/**
 * Turns row `i` of `weights` into scores, weights and then pulls, in place; keeps its loss and its positive's weight.
 * corrections: 0 where there are none.
 */
function weighAnchor(i: usize, count: usize, mask: usize, corrections: usize): void {
  const anchor = anchors + i * blockRowBytes;
  const row = weights + i * weightRowBytes;
  const end = ((count + 7) & ~7) << 2;
  scoreRow(anchor, row, count);
  if (corrections != 0) correctScores(row, end, corrections);
  const negatives = maskScores(row, mask, count);
  weigh(row, end, negatives, scoreOf(anchor, positives + i * blockRowBytes));
  const edgeWeight = load<f32>(edgeWeights + (i << 2));
  pullRow(row, end, edgeWeight);
  store<f32>(positiveWeights + (i << 2), edgeWeight * positiveWeight);
  store<f32>(losses + (i << 2), load<f32>(losses + (i << 2)) + edgeWeight * anchorLoss);
}
