import type { Chunk, ChunkSide, Kernel } from '../model/kernel.ts';
import { LOSSES } from '../model/losses.ts';
import { SCORERS } from '../model/scorers.ts';
import type { ModelSettings } from '../model/settings.ts';
import type { Table } from '../model/table.ts';
import { type ChunkSize, checkChunk, checkScoreMatrix, createChunk, trainedSides } from './chunk.ts';
import { RowGradients } from './row-gradients.ts';

/**
 * The kernel in plain TypeScript and float64: slow and clear, the oracle of every other kernel. Only the table's rows are
 * rounded to float32.
 */
export class ReferenceKernel implements Kernel {
  readonly name = 'reference';
  readonly chunk: Chunk;
  readonly losses: Float32Array;
  readonly #table: Table;
  readonly #settings: ModelSettings;
  readonly #gradients: RowGradients;

  constructor(table: Table, settings: ModelSettings, size: ChunkSize) {
    this.#table = table;
    this.#settings = settings;
    this.#gradients = new RowGradients(table, settings);
    this.chunk = createChunk(size, settings);
    this.losses = new Float32Array(size.maxEdges);
  }

  step(): number {
    const { chunk } = this;
    const firstEntity = checkChunk(chunk, this.#table);
    this.#gradients.clear();
    const losses = new Float64Array(chunk.edges);
    for (const side of trainedSides(chunk)) {
      for (let i = 0; i < chunk.edges; i++) losses[i]! += this.#addAnchor(side, i);
    }
    this.#gradients.apply(firstEntity, chunk.learningRate);
    this.losses.set(losses);
    return losses.reduce((sum, loss) => sum + loss, 0);
  }

  foreignGradients(visit: (row: number, gradient: Float32Array) => void): void {
    this.#gradients.visitForeign(visit);
  }

  scoreMatrix(
    anchors: Int32Array,
    relationRows: Int32Array,
    candidates: Int32Array,
    out: Float32Array,
  ): void {
    checkScoreMatrix(this.#table, anchors, relationRows, candidates, out);
    const { scorer, beta } = this.#settings;
    anchors.forEach((anchor, i) => {
      const moved = this.#translated(anchor, relationRows[i]!);
      candidates.forEach((row, j) => {
        out[i * candidates.length + j] = SCORERS[scorer].score(moved, this.#vector(row), beta);
      });
    });
  }

  /** Adds the gradients of edge `i` on one side, by row, and returns its loss on that side. */
  #addAnchor(side: ChunkSide, i: number): number {
    const { scorer: scorerName, loss: lossName, beta } = this.#settings;
    const scorer = SCORERS[scorerName];
    const anchor = side.anchors[i]!;
    const positive = side.positives[i]!;
    const relationRow = 2 * this.chunk.relation[i]! + side.reverse;
    const moved = this.#translated(anchor, relationRow);

    const maskStart = i * this.chunk.maxCandidates;
    const isNegative = (_value: number, j: number) => side.mask[maskStart + j] === 0;
    const negatives = side.candidates.filter(isNegative);
    const scores = Float64Array.from(negatives, (row) => scorer.score(moved, this.#vector(row), beta));
    if (lossName === 'softmax') {
      const corrections = side.corrections.filter(isNegative);
      for (let n = 0; n < scores.length; n++) scores[n]! -= corrections[n]!;
    }
    const weights = new Float64Array(negatives.length);
    const positiveScore = scorer.score(moved, this.#vector(positive), beta);
    const { loss, positiveWeight } = LOSSES[lossName](positiveScore, scores, this.#settings, weights);

    const edgeWeight = this.chunk.edgeWeights[i]!;
    const movedGradient = new Float64Array(moved.length);
    const add = (row: number, weight: number) => {
      const slot = this.#gradients.of(row);
      scorer.addGradient(moved, this.#vector(row), beta, edgeWeight * weight, movedGradient, slot);
    };
    add(positive, positiveWeight);
    negatives.forEach((row, j) => {
      add(row, weights[j]!);
    });
    for (const row of [anchor, relationRow]) {
      const gradient = this.#gradients.of(row);
      for (let k = 0; k < gradient.length; k++) gradient[k]! += movedGradient[k]!;
    }
    return edgeWeight * loss;
  }

  #vector(row: number): Float64Array {
    return Float64Array.from(this.#table.vector(row));
  }

  #translated(anchor: number, relationRow: number): Float64Array {
    const relation = this.#vector(relationRow);
    return this.#vector(anchor).map((x, k) => x + relation[k]!);
  }
}
