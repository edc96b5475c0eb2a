import { addGradient, gradientOf } from './gradients';
import {
  anchorGradients, anchorGradientsBytes, anchors, blockRowBytes, candidateGradients, candidateGradientsBytes,
  candidates, edgeBytes, edgeWeights, intAt, loss, losses,
  maxCandidates, positives, positiveWeights, relation, sideLosses, SOFTMAX, weightRowBytes, weights,
} from './layout';
import { anchorLoss, anyCorrection, correctScores, maskScores, positiveWeight, weigh } from './loss';
import { pullAll, pullPositive, pullRow } from './pull';
import { copyRow, touchRows, translate } from './rows';
import { compareAll, scoreOf, scoreRow } from './score';

/**
 * Computes the gradients and losses of one side: anchors translated by their relations (`reverse`: 0 or 1), against the
 * positives and `count` candidates. A side without candidates is not trained.
 *
 * Blocks are computed in complete tiles. Values past the last edge and candidate are left from an earlier chunk; they are
 * masked or never read.
 */
export function compare(
  reverse: usize, edges: usize, anchorRows: usize, positiveRows: usize,
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
  for (let i: usize = 0; i < edges; i++) {
    weighAnchor(reverse, i, count, mask + i * maxCandidates, corrected ? corrections : 0);
  }
  pullAll(
    edges, count, anchorGradients + reverse * anchorGradientsBytes, candidateGradients + reverse * candidateGradientsBytes,
  );
}

/** Adds what `compare` computed to the gradients by row, and the losses. anchors, positives: in its scratch. */
export function sum(
  reverse: usize, edges: usize, anchorRows: usize, positiveRows: usize,
  candidateRows: usize, count: usize, anchors: usize, positives: usize,
): void {
  if (count == 0) return;
  for (let i: usize = 0; i < edges; i++) {
    const offset = i * blockRowBytes;
    const gradient = anchorGradients + reverse * anchorGradientsBytes + offset;
    const at = reverse * edgeBytes + (i << 2);
    const weight = load<f32>(positiveWeights + at);
    pullPositive(weight, anchors + offset, positives + offset, gradient, gradientOf(intAt(positiveRows, i)));
    addGradient(2 * intAt(relation, i) + <i32>reverse, gradient);
    addGradient(intAt(anchorRows, i), gradient);
    store<f32>(losses + (i << 2), load<f32>(losses + (i << 2)) + load<f32>(sideLosses + at));
  }
  for (let j: usize = 0; j < count; j++) {
    const offset = reverse * candidateGradientsBytes + j * blockRowBytes;
    addGradient(intAt(candidateRows, j), candidateGradients + offset);
  }
}

/**
 * Turns row `i` of `weights` into scores, weights and then pulls, in place; keeps its loss and its positive's weight.
 * corrections: 0 where there are none.
 */
function weighAnchor(reverse: usize, i: usize, count: usize, mask: usize, corrections: usize): void {
  const anchor = anchors + i * blockRowBytes;
  const row = weights + i * weightRowBytes;
  const end = ((count + 7) & ~7) << 2;
  scoreRow(anchor, row, count);
  if (corrections != 0) correctScores(row, end, corrections);
  const negatives = maskScores(row, mask, count);
  weigh(row, end, negatives, scoreOf(anchor, positives + i * blockRowBytes));
  const edgeWeight = load<f32>(edgeWeights + (i << 2));
  pullRow(row, end, edgeWeight);
  const at = reverse * edgeBytes + (i << 2);
  store<f32>(positiveWeights + at, edgeWeight * positiveWeight);
  store<f32>(sideLosses + at, edgeWeight * anchorLoss);
}
