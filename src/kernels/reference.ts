import type { ChunkSide, ScoreMatrix } from '../model/kernel.ts';
import { LOSSES } from '../model/losses.ts';
import { SCORERS } from '../model/scorers.ts';
import { checkScoreMatrix } from './chunk.ts';
import { SummingKernel } from './summing-kernel.ts';

/** The kernel in plain TypeScript and float64, slow and clear: the oracle of all others. Only the table's rows are float32. */
export class ReferenceKernel extends SummingKernel {
  readonly name = 'reference';

  override scoreMatrix(...asked: ScoreMatrix): void {
    const [anchors, relationRows, candidates, out] = checkScoreMatrix(this.table, asked);
    const { scorer, beta } = this.settings;
    anchors.forEach((anchor, i) => {
      const moved = this.#translated(anchor, relationRows[i]!);
      candidates.forEach((row, j) => {
        out[i * candidates.length + j] = SCORERS[scorer].score(moved, this.#vector(row), beta);
      });
    });
  }

  protected override addSide(side: ChunkSide, losses: Float64Array): void {
    for (let i = 0; i < losses.length; i++) losses[i]! += this.#addAnchor(side, i);
  }

  /** Adds the gradients of edge `i` on one side, by row, and returns its loss on that side. */
  #addAnchor(side: ChunkSide, i: number): number {
    const { scorer: scorerName, loss: lossName, beta } = this.settings;
    const scorer = SCORERS[scorerName];
    const anchor = side.anchors[i]!;
    const positive = side.positives[i]!;
    const relationRow = 2 * this.chunk.relation[i]! + side.reverse;
    const moved = this.#translated(anchor, relationRow);

    const maskStart = i * this.chunk.maxCandidates;
    const isNegative = (_value: number, j: number) => side.mask[maskStart + j] === 0;
    const negatives = side.candidates.subarray(0, side.count).filter(isNegative);
    const scores = Float64Array.from(negatives, (row) => scorer.score(moved, this.#vector(row), beta));
    if (lossName === 'softmax') {
      const corrections = side.corrections.subarray(0, side.count).filter(isNegative);
      for (let n = 0; n < scores.length; n++) scores[n]! -= corrections[n]!;
    }
    const weights = new Float64Array(negatives.length);
    const positiveScore = scorer.score(moved, this.#vector(positive), beta);
    const { loss, positiveWeight } = LOSSES[lossName](positiveScore, scores, this.settings, weights);

    const edgeWeight = this.chunk.edgeWeights[i]!;
    const movedGradient = new Float64Array(moved.length);
    const add = (row: number, weight: number) => {
      const slot = this.gradientOf(row);
      scorer.addGradient(moved, this.#vector(row), beta, edgeWeight * weight, movedGradient, slot);
    };
    add(positive, positiveWeight);
    negatives.forEach((row, j) => {
      add(row, weights[j]!);
    });
    for (const row of [anchor, relationRow]) {
      const gradient = this.gradientOf(row);
      for (let k = 0; k < gradient.length; k++) gradient[k]! += movedGradient[k]!;
    }
    return edgeWeight * loss;
  }

  #vector(row: number): Float64Array {
    return Float64Array.from(this.table.vector(row));
  }

  #translated(anchor: number, relationRow: number): Float64Array {
    const relation = this.#vector(relationRow);
    return this.#vector(anchor).map((x, k) => x + relation[k]!);
  }
}
